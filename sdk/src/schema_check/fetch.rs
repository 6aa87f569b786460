//! Asking for the module's schema, and for whom.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use lightlike_core::conn::{Connection, ConnectionState, LiveReducer};
use lightlike_core::schema::{Difference, FunctionDef, ServerSchema, TableDef, takes_arguments};
use lightlike_core::types::Identity;
use tokio::runtime;
use tokio::sync::oneshot;

use super::Theirs;
use crate::client::Client;
use crate::error::{Error, Repr};
use crate::http::{self, Http};
use crate::hub::Hub;

/// Begins with the check, for a client that has just been started.
pub(crate) fn start(client: &Client, runtime: &runtime::Handle) {
    let hub = client.hub();
    if !hub.schema.is_active.load(Ordering::Relaxed) {
        return;
    }
    let (sender, receiver) = oneshot::channel();
    *hub.schema.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(receiver);
    hub.command(|connection, _| connection.await_schema());
    let weak = client.downgrade();
    let mut state = client.state();
    let check = async move {
        let over = |state: &ConnectionState| {
            matches!(state, ConnectionState::Ready | ConnectionState::Closed(_))
        };
        if !matches!(state.wait_for(over).await, Ok(ConnectionState::Ready)) {
            return;
        }
        // Not the client itself: its last handle closes the connection, whether the schema is here or not.
        let Some((hub, us)) = weak.upgrade().map(|it| (Arc::clone(it.hub()), Us::of(&it))) else {
            return;
        };
        let outcome = match fetch(&hub, us, |schema| hub.compare_kept(schema)).await {
            Ok(theirs) => Ok(hub.compare_mentioned(theirs)),
            Err(error) => {
                tracing::info!(
                    %error,
                    "cannot compare the program, and kept calls, with the module's schema"
                );
                hub.command(|connection, _| connection.handle_schema(None));
                Err(error)
            }
        };
        // Whoever connects strictly waits for it.
        let _ = sender.send(outcome);
    };
    runtime.spawn(check);
}

/// Waits for the check of a client that connects strictly.
pub(crate) async fn connected(client: &Client) -> Result<(), Error> {
    let state = &client.hub().schema;
    if !state.is_strict() {
        return Ok(());
    }
    let outcome = state.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(outcome) = outcome else { return Ok(()) };
    match outcome.await {
        Ok(Ok(differences)) if differences.is_empty() => Ok(()),
        Ok(Ok(differences)) => Err(Repr::SchemaDrift(differences.into()).into()),
        Ok(Err(error)) => Err(Repr::NoSchema(error).into()),
        // The connection was closed meanwhile.
        Err(_) => Err(client.hub().closed().into()),
    }
}

/// Who asks.
struct Us {
    identity: Option<Identity>,
    token: Option<String>,
}

impl Us {
    fn of(client: &Client) -> Self {
        Self { identity: client.identity(), token: client.token() }
    }
}

/// Asks for the schema, and shows it as soon as it is here.
async fn fetch(
    hub: &Hub,
    us: Us,
    each: impl FnOnce(&Arc<ServerSchema>),
) -> Result<Theirs, http::Error> {
    let Some((_, origin)) = hub.schema.config.get() else {
        return Err(http::Error::invalid("the client was not made by a builder"));
    };
    let mut http = Http::new(&origin.uri)?.with_limits(origin.limits);
    if let Some(token) = us.token {
        http = http.with_token(token);
    }
    let schema = Arc::new(http.schema(&origin.database).await?);
    each(&schema);
    let hides = schema.tables.iter().any(|table| !table.public)
        || schema.views.iter().any(|view| !view.public);
    let is_owner = hides && Some(http.database(&origin.database).await?.owner) == us.identity;
    Ok(Theirs { schema, is_owner })
}

impl Hub {
    /// Says what the server's reducers take, for the sake of kept calls.
    fn compare_kept(self: &Arc<Self>, schema: &Arc<ServerSchema>) {
        if !self.offline.is_enabled() {
            return;
        }
        let functions = {
            let mut mentioned = self.schema.lock();
            mentioned.of_kept = Some(Arc::clone(schema));
            mentioned.functions.clone()
        };
        let reducers = LiveReducer::all(schema, &functions);
        self.command(|connection, _| connection.handle_schema(Some(reducers)));
    }

    /// Whether a reducer of the program's takes what the server's does, as far as that is known.
    pub(crate) fn takes(&self, ours: &FunctionDef) -> bool {
        let schema = self.schema.lock().of_kept.clone();
        schema.is_none_or(|schema| {
            let reducer = schema.reducer(ours.name).filter(|reducer| reducer.callable);
            reducer.is_some_and(|reducer| takes_arguments(&schema, reducer, ours))
        })
    }

    /// Compares everything that was mentioned with a schema, which stands from now on.
    fn compare_mentioned(self: &Arc<Self>, theirs: Theirs) -> Vec<Difference> {
        let theirs = Arc::new(theirs);
        // All under one lock, so that what is mentioned meanwhile is compared once.
        let (tables, functions) = {
            let mut mentioned = self.schema.lock();
            let tables = self.shared.read(definitions);
            mentioned.tables.extend(tables.iter().map(|table| table.name));
            mentioned.theirs = Some(Arc::clone(&theirs));
            (tables, mentioned.functions.clone())
        };
        let differences = theirs.compare(&tables, &functions);
        self.schema.report(&differences);
        self.end_differing_sets(&theirs);
        differences
    }
}

pub(crate) fn definitions(connection: &Connection) -> Vec<TableDef> {
    connection.definitions().copied().collect()
}

impl Client {
    /// Asks for the module's schema and says how everything that the program has mentioned so far differs from it.
    /// Feature `http`.
    ///
    /// # Errors
    ///
    /// [`Connect`](crate::ErrorKind::Connect) or [`Auth`](crate::ErrorKind::Auth) if there is no schema to be had.
    ///
    /// ```no_run
    /// # async fn example(db: &lightlike::Client) -> Result<(), lightlike::Error> {
    /// for difference in db.check_schema().await? {
    ///     println!("{difference}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check_schema(&self) -> Result<Vec<Difference>, Error> {
        let hub = self.hub();
        let theirs = fetch(hub, Us::of(self), |_| ()).await.map_err(Repr::NoSchema)?;
        let functions = hub.schema.lock().functions.clone();
        Ok(theirs.compare(&hub.shared.read(definitions), &functions))
    }
}
