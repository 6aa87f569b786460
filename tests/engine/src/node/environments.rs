//! First environments of databases that are about to be launched.

use async_trait::async_trait;
use spacetimedb::host::InitialEnvironmentSource;
use spacetimedb::messages::control_db::Database;
use spacetimedb_lib::environment::EnvironmentMap;
use std::collections::HashMap;
use std::sync::Mutex;

/// Environments by the engine's number of their database. The engine asks for one once, when it makes the database.
#[derive(Default)]
pub(super) struct Environments(Mutex<HashMap<u64, EnvironmentMap>>);

impl Environments {
    pub(super) fn insert(&self, database: u64, values: EnvironmentMap) {
        self.0.lock().expect("nothing panics under this lock").insert(database, values);
    }
}

#[async_trait]
impl InitialEnvironmentSource for Environments {
    async fn load(&self, database: &Database, _replica: u64) -> anyhow::Result<EnvironmentMap> {
        let mut environments = self.0.lock().expect("nothing panics under this lock");
        Ok(environments.remove(&database.id).unwrap_or_default())
    }
}
