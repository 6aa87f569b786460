//! Publishing: a new database, another program for one, or the same one emptied.

use super::{Node, Record, STOP_TIMEOUT};
use crate::http::Refusal;
use axum::http::StatusCode;
use bytes::Bytes;
use spacetimedb::host::UpdateDatabaseResult;
use spacetimedb::host::module_host::UpdateEnvironmentResult;
use spacetimedb::messages::control_db::HostType;
use spacetimedb_client_api_messages::name::{PublishOp, parse_database_name};
use spacetimedb_client_api_messages::publish::EnvironmentMetadata;
use spacetimedb_datastore::traits::Program;
use spacetimedb_lib::environment::{EnvironmentMap, EnvironmentUpdate};
use spacetimedb_lib::{Hash, Identity};
use spacetimedb_schema::auto_migrate::MigrationPolicy;

/// Result of publishing.
pub(crate) struct Published {
    pub(crate) identity: Identity,
    pub(crate) op: PublishOp,
}

impl Node {
    /// Publishes a program under a name, or under no name, for `owner`. Asked to clear, it throws away what is there.
    pub(crate) async fn publish(
        &self,
        name: Option<&str>,
        owner: Identity,
        wasm: Bytes,
        clear: bool,
        environment: EnvironmentUpdate,
    ) -> Result<Published, Refusal> {
        match name.and_then(|name| self.registry.find(name)) {
            None => {
                if let Some(name) = name {
                    parse_database_name(name)
                        .map_err(|error| Refusal::bad_request(error.to_string()))?;
                }
                let identity =
                    Identity::from_claims("database", &format!("{:032x}", super::fresh_u128()));
                self.create(name, identity, owner, wasm, environment).await?;
                Ok(Published { identity, op: PublishOp::Created })
            }
            Some(record) => {
                record.authorize(owner, "update database")?;
                if clear {
                    self.clear(&record, wasm, environment).await?
                } else {
                    self.update(&record, wasm, environment).await?
                }
                Ok(Published { identity: record.identity, op: PublishOp::Updated })
            }
        }
    }

    async fn create(
        &self,
        name: Option<&str>,
        identity: Identity,
        owner: Identity,
        wasm: Bytes,
        environment: EnvironmentUpdate,
    ) -> anyhow::Result<()> {
        let program = Program::from_bytes(HostType::Wasm.into(), wasm.to_vec());
        let record = self.registry.draft(name, identity, owner, program.hash);
        self.begin(record, program, environment).await
    }

    /// Launches a database that is empty, with its first environment.
    async fn begin(
        &self,
        record: Record,
        program: Program,
        environment: EnvironmentUpdate,
    ) -> anyhow::Result<()> {
        let values = environment.resulting_values(&EnvironmentMap::default())?;
        self.check(&record, &program, &values).await?;
        self.environments.insert(record.id, values);
        self.launch(record, program).await
    }

    /// Another number, so that nothing of the old database is found; identity, owner and names stay.
    async fn clear(
        &self,
        old: &Record,
        wasm: Bytes,
        environment: EnvironmentUpdate,
    ) -> anyhow::Result<()> {
        let program = Program::from_bytes(HostType::Wasm.into(), wasm.to_vec());
        let fresh = self.registry.draft(None, old.identity, old.owner, program.hash);
        let values = environment.resulting_values(&EnvironmentMap::default())?;
        self.check(&fresh, &program, &values).await?;
        self.host.exit_module_host(old.id, STOP_TIMEOUT).await?;
        self.environments.insert(fresh.id, values);
        self.launch(fresh.named(old.names.clone()), program).await
    }

    /// What does not load as wasm the engine would try as JavaScript, which ends in a trap: this comes before the first launch.
    /// A program that was launched before needs no second look, which takes as long as the launch.
    async fn check(
        &self,
        record: &Record,
        program: &Program,
        environment: &EnvironmentMap,
    ) -> anyhow::Result<()> {
        if !self.programs().contains_key(&program.hash) {
            let (database, program) = (record.database(), program.clone());
            let environment = environment.clone();
            self.host
                .check_module_validity_with_environment(database, program, environment)
                .await?;
        }
        Ok(())
    }

    async fn launch(&self, record: Record, program: Program) -> anyhow::Result<()> {
        self.programs
            .lock()
            .expect("nothing panics under this lock")
            .insert(program.hash, program.bytes);
        self.host.get_or_launch_module_host(record.database(), record.id).await?;
        self.registry.insert(record)
    }

    async fn update(
        &self,
        record: &Record,
        wasm: Bytes,
        environment: EnvironmentUpdate,
    ) -> Result<(), Refusal> {
        let (database, bytes) = (record.database(), wasm.to_vec().into());
        let policy = MigrationPolicy::Compatible;
        let updated = self
            .host
            .update_module_host(database, HostType::Wasm, record.id, bytes, policy, environment)
            .await?;
        let refused = |why: String| Refusal::new(StatusCode::BAD_REQUEST, why);
        match updated {
            UpdateDatabaseResult::AutoMigrateError(errors) => {
                Err(refused(format!("Database update rejected: {errors}")))
            }
            UpdateDatabaseResult::ErrorExecutingMigration(error) => {
                Err(refused(format!("Failed to create or update the database: {error}")))
            }
            UpdateDatabaseResult::NoUpdateNeeded
            | UpdateDatabaseResult::UpdatePerformed { .. }
            | UpdateDatabaseResult::UpdatePerformedWithClientDisconnect { .. } => Ok(()),
        }
    }

    /// Which variables a database's module declares, and which have values.
    pub(crate) async fn environment(&self, record: &Record) -> anyhow::Result<EnvironmentMetadata> {
        self.module(record).await?;
        self.host.environment_metadata(record.id).await
    }

    /// Changes the environment of a database that has the expected module.
    pub(crate) async fn change_environment(
        &self,
        record: &Record,
        update: EnvironmentUpdate,
        expected: Hash,
    ) -> Result<(), Refusal> {
        self.module(record).await?;
        let (database, id) = (record.database(), record.id);
        match self.host.update_module_environment(database, id, update, expected).await? {
            UpdateEnvironmentResult::NoUpdateNeeded
            | UpdateEnvironmentResult::UpdatePerformed { .. } => Ok(()),
            UpdateEnvironmentResult::ErrorExecutingMigration(error) => {
                Err(Refusal::bad_request(format!("{error:#}")))
            }
        }
    }
}
