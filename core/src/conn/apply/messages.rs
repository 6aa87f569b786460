//! Parts of the server's messages, as parts of changes.

use crate::cache::{Part, SetId};
use crate::conn::subscriptions::Destination;
use crate::wire::{QueryRows, QuerySetUpdate, UpdateRows};

/// Bytes of a text of the server's that are kept. The longest that an honest one has are a panic's words and a query.
const EXCERPT_BYTES: usize = 16 * 1024;

/// The start of a text of the server's, and how long it was if that is not all.
pub(in crate::conn) fn excerpt(text: &str) -> Box<str> {
    if text.len() <= EXCERPT_BYTES {
        return text.into();
    }
    let end = (0..=EXCERPT_BYTES).rev().find(|&end| text.is_char_boundary(end));
    format!("{}... ({} bytes in all)", &text[..end.unwrap_or(0)], text.len()).into()
}

/// A message that the protocol does not allow.
pub(in crate::conn) struct Violation(pub(in crate::conn) &'static str);

/// The rows of a set that is answered.
pub(in crate::conn) fn inserts(set: SetId, rows: QueryRows) -> impl Iterator<Item = Part> {
    let lists = rows.tables.into_iter().filter(|list| !list.rows.is_empty());
    lists.map(move |list| Part::Inserts { set, table: list.table, rows: list.rows })
}

/// The changes of a set in a transaction.
pub(in crate::conn) fn changes(
    to: Destination,
    message: u64,
    update: QuerySetUpdate,
) -> impl Iterator<Item = Part> + use<> {
    let Destination { rows: set, may_repeat } = to;
    let lists = update.tables.into_iter().flat_map(move |update| {
        let table = update.table;
        update.rows.into_iter().map(move |rows| (table.clone(), rows))
    });
    lists
        .flat_map(move |(table, rows)| match rows {
            UpdateRows::Persistent { inserts, deletes } => {
                let came = (!inserts.is_empty()).then(|| Part::Inserts {
                    set,
                    table: table.clone(),
                    rows: inserts,
                });
                let left =
                    (!deletes.is_empty()).then_some(Part::Deletes { set, table, rows: deletes });
                [came, left]
            }
            UpdateRows::Event { events: rows } => {
                let (came, distinct) = (!rows.is_empty(), !may_repeat);
                [came.then_some(Part::Events { set, table, rows, message, distinct }), None]
            }
        })
        .flatten()
}
