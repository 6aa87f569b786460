//! Subscriptions and one-off queries.

use std::collections::HashSet;

use lightlike_core::schema::TableKind;
use lightlike_core::wire::{
    BatchResult, BatchSet, QueryRows, QuerySetId, RequestId, ServerMessage, TableRows, Text,
};

use super::calls::FATAL;
use super::commit::{list, table_name};
use super::state::{ConnectionInfo, Key, State};
use crate::database::schema::TableSchema;
use crate::fault::Fault;
use crate::sql::{Query, SqlError, compile as compile_sql, is_everything};

impl State {
    pub(super) fn subscribe_batch(&mut self, key: Key, request_id: RequestId, sets: &[BatchSet]) {
        let results: Vec<_> = sets
            .iter()
            .map(|set| BatchResult {
                query_set_id: set.query_set_id,
                outcome: self.subscribe(key, set.query_set_id, &set.queries).map_err(Text::from),
            })
            .collect();
        let applied =
            results.iter().find(|result| result.outcome.is_ok()).map(|result| result.query_set_id);
        let failed_later = applied.and_then(|set| Some((set, self.take_error_after_applied(key)?)));
        self.reply(key, ServerMessage::SubscribeBatchApplied { request_id, results });
        if let Some((query_set_id, error)) = failed_later {
            self.fail_query_set(key, query_set_id, &error);
        }
    }

    pub(super) fn subscribe(
        &mut self,
        key: Key,
        query_set_id: QuerySetId,
        queries: &[Text],
    ) -> Result<QueryRows, String> {
        let queries = compile(queries, &self.database.schemas)?;
        let Some(connection) = self.connections.get_mut(&key) else {
            return Err("client disconnected".to_owned());
        };
        connection.has_subscribed = true;
        if connection.sets.contains_key(&query_set_id) {
            return Err(format!(
                "Subscription with id QuerySetId {{ id: {} }} already exists for client: {}",
                query_set_id.0,
                client_name(&connection.info),
            ));
        }
        self.add_views(key, &queries).map_err(|_| FATAL.to_owned())?;
        let Some(connection) = self.connections.get(&key) else {
            return Err("client disconnected".to_owned());
        };
        let rows = self.initial_rows(connection, &queries);
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.sets.insert(query_set_id, queries);
        }
        Ok(rows)
    }

    pub(super) fn unsubscribe(
        &mut self,
        key: Key,
        query_set_id: QuerySetId,
        send_rows: bool,
    ) -> Result<Option<QueryRows>, String> {
        let Some(connection) = self.connections.get_mut(&key) else {
            return Err("client disconnected".to_owned());
        };
        let client = client_name(&connection.info);
        let Some(queries) = connection.sets.remove(&query_set_id) else {
            return Err(if connection.has_subscribed {
                format!(
                    "Subscription not found: ({client}, QuerySetId {{ id: {} }})",
                    query_set_id.0
                )
            } else {
                format!("Client not found: {client}")
            });
        };
        let rows = send_rows.then(|| {
            self.connections.get(&key).map(|connection| self.initial_rows(connection, &queries))
        });
        self.drop_unused_views();
        Ok(rows.flatten())
    }

    pub(super) fn one_off_query(&mut self, key: Key, sql: &str) -> Result<QueryRows, String> {
        let query = compile_sql(sql, &self.database.schemas).map_err(|error| error.to_string())?;
        let queries = [query];
        self.add_views(key, &queries).map_err(|_| FATAL.to_owned())?;
        let Some(connection) = self.connections.get(&key) else {
            return Err("client disconnected".to_owned());
        };
        let mut rows = self.initial_rows(connection, &queries);
        if rows.tables.is_empty() {
            // Unlike a subscription's, this answer always names its table.
            let table = table_name(self.database.schemas[queries[0].table()].name);
            rows.tables.push(TableRows { table, rows: list(&[]) });
        }
        self.drop_unused_views();
        Ok(rows)
    }

    /// Takes the fault of the set that was just applied.
    pub(super) fn take_error_after_applied(&mut self, key: Key) -> Option<String> {
        let connection = self.connections.get_mut(&key)?;
        match connection.fault.take() {
            Some(Fault::ErrorAfterApplied(error)) => Some(error),
            other => {
                connection.fault = other;
                None
            }
        }
    }
}

/// The queries of a set. The same text twice is one query, as on the server; two texts that match the same rows are two.
fn compile(texts: &[Text], schemas: &[TableSchema]) -> Result<Vec<Query>, String> {
    let mut queries = Vec::new();
    let mut seen = HashSet::new();
    // Everything comes first, wherever it stands.
    if texts.iter().any(|text| is_everything(text)) {
        let mut visible: Vec<_> =
            schemas.iter().filter(|schema| is_in_everything(schema)).collect();
        visible.sort_by_key(|schema| (schema.kind == TableKind::View, schema.name));
        for schema in visible {
            let sql = format!("SELECT * FROM {}", schema.name);
            // A name that is a keyword would need quotes, which the server does not write either.
            queries.push(compile_one(&sql, schemas)?);
            seen.insert(sql);
        }
    }
    for text in texts.iter().map(|text| text.trim()).filter(|text| !is_everything(text)) {
        if text.is_empty() {
            return Err(format!("SubscriptionError: Empty string, executing: `{text}`"));
        }
        let query = compile_one(text, schemas)?;
        if seen.insert(text.to_owned()) {
            queries.push(query);
        }
    }
    Ok(queries)
}

/// All that clients can see and that is kept.
fn is_in_everything(schema: &TableSchema) -> bool {
    !schema.private && schema.kind != TableKind::Event
}

fn compile_one(sql: &str, schemas: &[TableSchema]) -> Result<Query, String> {
    let failed = |error: SqlError| error.executing(sql);
    let mut query = compile_sql(sql, schemas).map_err(failed)?;
    query.only_once.take().map_or(Ok(query), |refusal| Err(failed(refusal)))
}

/// A client, as the server's errors name it.
fn client_name(info: &ConnectionInfo) -> String {
    format!("(Identity({}), ConnectionId({}))", info.identity, info.id)
}
