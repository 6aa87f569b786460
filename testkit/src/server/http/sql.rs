//! SQL over HTTP: one `SELECT` of those that subscriptions may have.

use lightlike_core::json::{Form, from_bsatn};
use lightlike_core::types::Identity;

use super::schema;
use crate::server::calls::FATAL;
use crate::server::http::{Request, Response};
use crate::server::state::{Shared, State};
use crate::sql::compile;

/// Answers a request to run SQL as `sender`.
///
/// # Source
///
/// `tests/fixtures/http` 36 to 42.
pub(crate) fn answer(shared: &Shared, request: &Request, sender: Identity) -> Response {
    let Ok(sql) = std::str::from_utf8(&request.body) else {
        return Response::text(400, "Request body didn't contain valid UTF-8");
    };
    match shared.with(|state| select(state, sql, sender)) {
        Ok(reply) => Response::json(reply),
        Err(error) => Response::text(400, error),
    }
}

fn select(state: &mut State, sql: &str, sender: Identity) -> Result<String, String> {
    let query = compile(sql, &state.database.schemas).map_err(|error| error.to_string())?;
    let table = query.table();
    let rows = state.select_once(query, sender).map_err(|_| FATAL.to_owned())?;
    let schema = &state.database.schemas[table];
    let mut texts = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut values = Vec::with_capacity(schema.columns.len());
        schema.for_each_column(row, |column, _, bytes| {
            let ty = schema.columns[usize::from(column)].ty;
            values.push(from_bsatn(ty, bytes, Form::Positional).map_err(|error| error.to_string()));
        });
        let values: Vec<String> = values.into_iter().collect::<Result<_, _>>()?;
        texts.push(format!("[{}]", values.join(",")));
    }
    Ok(format!(
        r#"[{{"schema":{},"rows":[{}],"total_duration_micros":0,"stats":{{"rows_inserted":0,"rows_deleted":0,"rows_updated":0}}}}]"#,
        schema::columns(schema),
        texts.join(","),
    ))
}
