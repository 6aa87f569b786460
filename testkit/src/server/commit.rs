//! Transactions: run, made whole or undone, and told to those whom they concern.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use lightlike_core::types::Identity;
use lightlike_core::wire::{
    QueryRows, QuerySetId, QuerySetUpdate, RowList, ServerMessage, TableName, TableRows,
    TableUpdate, Text, TransactionUpdate, UpdateRows,
};

use super::evaluate::{Committed, Scene};
use super::state::{Connection, Key, State};
use crate::database::{Caller, Tx};
use crate::sql::Query;

/// Reason for which a transaction did not commit.
pub(crate) enum Aborted<E> {
    /// The body returned this.
    Rejected(E),
    /// The body, or a view that it changed, panicked with this.
    Panicked(Box<dyn Any + Send>),
}

impl State {
    /// Runs `body` in a transaction. What it changed is committed, but not told yet.
    pub(crate) fn transact<T, E>(
        &mut self,
        caller: Caller,
        body: impl FnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<(T, Committed), Aborted<E>> {
        let module = Arc::clone(&self.module);
        let mut tx = Tx::begin(std::mem::take(&mut self.database), caller);
        // On any way out but the last, the transaction is undone, so nobody sees what a panic left half done.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let value = body(&mut tx)?;
            // Views see what the transaction did, and fail it if they fail.
            Ok((value, self.views.recompute(&module, &mut tx)))
        }));
        match outcome {
            Ok(Ok((value, views))) => {
                let delta = tx.delta();
                self.database = tx.commit();
                self.views.commit(&views);
                self.counts.commits += 1;
                Ok((value, Committed { delta, views }))
            }
            Ok(Err(error)) => {
                self.database = tx.roll_back();
                Err(Aborted::Rejected(error))
            }
            Err(panic) => {
                self.database = tx.roll_back();
                Err(Aborted::Panicked(panic))
            }
        }
    }

    /// Runs a transaction that no client called for, and tells everybody.
    pub(crate) fn run<T, E>(
        &mut self,
        caller: Caller,
        body: impl FnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<T, Aborted<E>> {
        let (value, committed) = self.transact(caller, body)?;
        let unowned: TransactionUpdate = self.broadcast(&committed, None);
        debug_assert!(unowned.query_sets.is_empty(), "an update was made for no connection");
        Ok(value)
    }

    /// Computes the views that `queries` read and that nobody was subscribed to before.
    pub(crate) fn add_views(&mut self, key: Key, queries: &[Query]) -> Result<(), Aborted<()>> {
        let Some(connection) = self.connections.get(&key) else { return Ok(()) };
        let caller = self.caller(&connection.info);
        self.add_views_of(caller, queries)
    }

    /// The rows that a query returns to `sender` now, who has no connection.
    #[cfg(feature = "http")]
    pub(crate) fn select_once(
        &mut self,
        query: Query,
        sender: Identity,
    ) -> Result<Vec<Bytes>, Aborted<()>> {
        let caller = Caller { sender, connection_id: None, timestamp: self.now() };
        self.add_views_of(caller, std::slice::from_ref(&query))?;
        let rows = self.scene(sender).select(&query).unwrap_or_default();
        self.drop_unused_views();
        Ok(rows)
    }

    fn add_views_of(&mut self, caller: Caller, queries: &[Query]) -> Result<(), Aborted<()>> {
        let viewed: Vec<_> =
            queries.iter().flat_map(|query| self.views_in(query, caller.sender)).collect();
        let module = Arc::clone(&self.module);
        let mut tx = Tx::begin(std::mem::take(&mut self.database), caller);
        let outcome = catch_unwind(AssertUnwindSafe(|| self.views.add(viewed, &module, &mut tx)));
        self.database = tx.roll_back();
        outcome.map_err(Aborted::Panicked)
    }

    /// Tells everybody but `except` what a transaction changed, and returns what `except` has to be told.
    pub(crate) fn broadcast(
        &self,
        committed: &Committed,
        except: Option<Key>,
    ) -> TransactionUpdate {
        let mut own = TransactionUpdate::default();
        for (key, connection) in &self.connections {
            let update = self.update_for(connection, committed);
            if Some(*key) == except {
                own = update;
            } else if !update.query_sets.is_empty() {
                connection.tell(ServerMessage::TransactionUpdate(update));
            }
        }
        own
    }

    /// Query sets by id, tables by name, one list of rows for each query that changed.
    fn update_for(&self, connection: &Connection, committed: &Committed) -> TransactionUpdate {
        let scene = self.scene(connection.info.identity);
        let mut query_sets = Vec::new();
        for (query_set_id, queries) in &connection.sets {
            let mut tables: BTreeMap<&str, Vec<UpdateRows>> = BTreeMap::new();
            for query in queries {
                let Some(delta) = scene.change(query, committed) else { continue };
                let rows = if scene.returns_events(query) {
                    UpdateRows::Event { events: list(&delta.inserts) }
                } else {
                    UpdateRows::Persistent {
                        inserts: list(&delta.inserts),
                        deletes: list(&delta.deletes),
                    }
                };
                tables.entry(self.database.schemas[query.table()].name).or_default().push(rows);
            }
            let tables: Vec<_> = tables
                .into_iter()
                .map(|(name, rows)| TableUpdate { table: table_name(name), rows })
                .collect();
            if !tables.is_empty() {
                query_sets.push(QuerySetUpdate { query_set_id: *query_set_id, tables });
            }
        }
        TransactionUpdate { query_sets }
    }

    /// The rows that `queries` return now: a list for each query, but for those over empty tables.
    pub(crate) fn initial_rows(&self, connection: &Connection, queries: &[Query]) -> QueryRows {
        let scene = self.scene(connection.info.identity);
        let tables = queries.iter().filter_map(|query| {
            let rows = scene.select(query)?;
            let table = table_name(self.database.schemas[query.table()].name);
            Some(TableRows { table, rows: list(&rows) })
        });
        QueryRows { tables: tables.collect() }
    }

    fn scene(&self, sender: Identity) -> Scene<'_> {
        Scene { database: &self.database, views: &self.views, module: &self.module, sender }
    }

    /// Ends an applied query set with an error.
    pub(crate) fn fail_query_set(&mut self, key: Key, query_set_id: QuerySetId, error: &str) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.sets.remove(&query_set_id);
            connection.tell(ServerMessage::SubscriptionError {
                request_id: None,
                query_set_id,
                error: Text::from(error),
            });
        }
        self.drop_unused_views();
    }

    pub(crate) fn drop_unused_views(&mut self) {
        let used = self.used_views();
        self.views.retain(&used);
    }
}

pub(crate) fn table_name(name: &'static str) -> TableName {
    TableName(Text::from_static(name))
}

pub(crate) fn list(rows: &[Bytes]) -> RowList {
    RowList::from_rows(rows)
}
