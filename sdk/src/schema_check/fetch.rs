//! Asking for the module's schema, and for whom.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lightlike_core::conn::{Connection, ConnectionState, LiveReducer, SchemaRound};
use lightlike_core::schema::{Difference, FunctionDef, ServerSchema, TableDef, takes_arguments};
use lightlike_core::secret::Secret;
use lightlike_core::types::Identity;
use tokio::runtime;
use tokio::sync::oneshot;

use super::{Outcome, SchemaState, Theirs};
use crate::client::{Client, WeakClient};
use crate::error::{Error, Repr};
use crate::http::{self, Http};
use crate::hub::Hub;
use crate::observe::panics::log;
use crate::sync::lock;

/// Begins with the check, for a client that has just been started.
pub(crate) fn start(client: &Client, runtime: &runtime::Handle) {
    let hub = client.hub();
    if !hub.schema.is_active.load(Ordering::Relaxed) {
        return;
    }
    let (sender, receiver) = oneshot::channel();
    *lock(&hub.schema.outcome) = Some(receiver);
    hub.command(|connection, _| connection.await_schema());
    let (weak, wanted) = (client.downgrade(), Arc::clone(&hub.schema.wanted));
    let mut state = client.state();
    let check = async move {
        let over = |state: &ConnectionState| {
            matches!(state, ConnectionState::Ready | ConnectionState::Closed(_))
        };
        if !matches!(state.wait_for(over).await, Ok(ConnectionState::Ready)) {
            return;
        }
        let Some(outcome) = compare(&weak).await else { return };
        // Whoever connects strictly waits for it.
        let _ = sender.send(outcome);
        // At later connections for the sake of kept calls alone: the module may be another one.
        loop {
            wanted.notified().await;
            let Some(hub) = weak.upgrade().map(|client| Arc::clone(client.hub())) else { return };
            let (is_wanted, is_closed) =
                hub.shared.read(|connection| (connection.wants_schema(), connection.is_closed()));
            if is_closed || (is_wanted && compare(&weak).await.is_none()) {
                return;
            }
        }
    };
    runtime.spawn(check);
}

/// Asks for the schema and compares everything with it. None if the client is gone.
async fn compare(client: &WeakClient) -> Option<Outcome> {
    // Not the client itself: its last handle closes the connection, whether the schema is here or not.
    let (hub, us) = client.upgrade().map(|it| (Arc::clone(it.hub()), Us::of(&it)))?;
    let round = hub.shared.read(Connection::schema_round);
    match fetch(&hub, us, |schema| compare_kept(&hub, round, schema)).await {
        Ok(theirs) => Some(Ok(compare_mentioned(&hub, theirs))),
        Err(error) => {
            log!(
                info,
                %error,
                "cannot compare the program, and kept calls, with the module's schema"
            );
            hub.command(|connection, _| connection.handle_schema(round, None));
            Some(Err(error))
        }
    }
}

/// Waits for the check of a client that connects strictly.
pub(crate) async fn connected(client: &Client) -> Result<(), Error> {
    let state = &client.hub().schema;
    if !state.is_strict() {
        return Ok(());
    }
    let outcome = lock(&state.outcome).take();
    let Some(outcome) = outcome else { return Ok(()) };
    match outcome.await {
        Ok(Ok(differences)) if differences.is_empty() => Ok(()),
        Ok(Ok(differences)) => Err(Repr::SchemaDrift(differences.into()).into()),
        Ok(Err(error)) => Err(Repr::NoSchema(error).into()),
        // The connection was closed meanwhile.
        Err(_) => Err(client.hub().status.closed().into()),
    }
}

/// Identity and token of the client that asks.
struct Us {
    identity: Option<Identity>,
    token: Option<Secret>,
}

impl Us {
    fn of(client: &Client) -> Self {
        Self { identity: client.identity(), token: client.token().map(Secret::from) }
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
    let http = Http::new(&origin.uri)?.with_limits(origin.limits);
    let mut http = http.with_plain_text(origin.plain_text.clone());
    if let Some(token) = us.token {
        http = http.with_token(token.expose());
    }
    let schema = Arc::new(http.schema(&origin.database).await?);
    each(&schema);
    let hides = schema.tables.iter().any(|table| !table.public)
        || schema.views.iter().any(|view| !view.public);
    let is_owner = hides && Some(http.database(&origin.database).await?.owner) == us.identity;
    Ok(Theirs { schema, is_owner })
}

/// Reports the arguments that the server's reducers take, for the sake of queued calls.
fn compare_kept(hub: &Arc<Hub>, round: SchemaRound, schema: &Arc<ServerSchema>) {
    if !hub.offline.is_enabled() {
        return;
    }
    let functions = {
        let mut mentioned = hub.schema.lock();
        mentioned.of_kept = Some(Arc::clone(schema));
        mentioned.functions.clone()
    };
    let reducers = LiveReducer::all(schema, &functions);
    hub.command(|connection, _| connection.handle_schema(round, Some(reducers)));
}

/// Compares everything that was mentioned with a schema, which stands from now on.
fn compare_mentioned(hub: &Arc<Hub>, theirs: Theirs) -> Vec<Difference> {
    let theirs = Arc::new(theirs);
    // All under one lock, so that what is mentioned meanwhile is compared once.
    let (before, tables, functions) = {
        let mut mentioned = hub.schema.lock();
        let tables = hub.shared.read(definitions);
        mentioned.tables.extend(tables.iter().map(|table| table.name));
        let before = mentioned.theirs.replace(Arc::clone(&theirs));
        (before, tables, mentioned.functions.clone())
    };
    let differences = theirs.compare(&tables, &functions);
    let reported = before.map(|before| before.compare(&tables, &functions)).unwrap_or_default();
    let is_new = |difference: &&Difference| !reported.contains(difference);
    let news: Vec<_> = differences.iter().filter(is_new).cloned().collect();
    hub.schema.report(&news);
    for set in hub.schema.take_differing_sets(&theirs, |set| hub.sets.contains(set)) {
        hub.command(|connection, _| connection.unsubscribe(set));
    }
    differences
}

impl SchemaState {
    /// Returns `true` if a reducer of the program's takes what the server's does, as far as that is known.
    pub(crate) fn takes(&self, ours: &FunctionDef) -> bool {
        let schema = self.lock().of_kept.clone();
        schema.is_none_or(|schema| {
            let reducer = schema.reducer(ours.name).filter(|reducer| reducer.callable);
            reducer.is_some_and(|reducer| takes_arguments(&schema, reducer, ours))
        })
    }
}

pub(crate) fn definitions(connection: &Connection) -> Vec<TableDef> {
    connection.definitions().copied().collect()
}

impl Client {
    /// Asks for the module's schema and says how everything that the program has mentioned so far differs from it.
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
