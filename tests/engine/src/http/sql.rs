//! SQL over HTTP: one statement, by anybody; statements that write, by the owner.

use super::auth::find;
use super::{Answer, Refusal, Shared};
use crate::node::keys::Caller;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use spacetimedb::identity::AuthCtx;
use spacetimedb_client_api_messages::http::{SqlStmtResult, SqlStmtStats};
use spacetimedb_lib::{ProductTypeElement, ProductValue};
use spacetimedb_sats::serde::SerdeWrapper;
use std::time::Instant;

type Rows = SqlStmtResult<SerdeWrapper<ProductValue>>;

pub(crate) async fn sql(
    State(node): Shared,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
    statement: String,
) -> Answer<Json<[Rows; 1]>> {
    let record = find(&node, &name)?;
    let module = node.module(&record).await?;
    let (db, subscriptions) = (module.relational_db().clone(), module.subscriptions().clone());
    let auth = AuthCtx::new(record.owner, caller.identity);
    let (mut columns, start) = (Vec::new(), Instant::now());
    let ran = spacetimedb::sql::execute::run(
        db,
        statement,
        auth,
        Some(subscriptions),
        Some(module),
        &mut columns,
    )
    .await;
    let result = ran.map_err(|error| Refusal::bad_request(error.to_string()))?;
    let columns = columns.into_iter().map(|(name, ty)| ProductTypeElement::new(ty, Some(name)));
    Ok(Json([SqlStmtResult {
        schema: columns.collect(),
        rows: result.rows.into_iter().map(SerdeWrapper).collect(),
        total_duration_micros: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
        stats: SqlStmtStats::from_metrics(&result.metrics),
    }]))
}
