//! From the texts of a query set to its queries.

use std::collections::HashSet;

use lightlike_core::schema::TableKind;
use lightlike_core::wire::Text;

use super::state::ConnectionInfo;
use crate::database::schema::TableSchema;
use crate::sql::{Query, SqlError, compile as compile_sql, is_everything};

/// The queries of a set. The same text twice is one query, as on the server; two texts that match the same rows are two.
pub(super) fn compile(texts: &[Text], schemas: &[TableSchema]) -> Result<Vec<Query>, String> {
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
pub(super) fn client(info: &ConnectionInfo) -> String {
    format!("(Identity({}), ConnectionId({}))", info.identity, info.id)
}
