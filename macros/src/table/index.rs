//! Indexes over several columns: `index(name = by_ab, btree(columns = [a, b]))`.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, Token, bracketed};

use super::model::ColumnModel;
use crate::attr::{Entry, Once};
use crate::case;
use crate::ctxt::Ctxt;

/// Example of the form.
const SHAPE: &str = "name = by_a_and_b, btree(columns = [a, b])";

/// The kinds of index that a module can have. Here all are ordered: the client builds its own.
pub(super) const ALGORITHMS: &[&str] = &["btree", "hash", "direct"];

/// The largest tuple that orders by an index.
const COLUMNS_MAX: usize = 4;

/// Contents of the attribute.
pub(super) struct IndexAttr {
    name: Ident,
    columns: Vec<Ident>,
}

/// An index whose columns exist.
pub(crate) struct MultiIndex {
    pub(crate) constant: Ident,
    /// Positions in the row, in the index's order.
    pub(crate) columns: Vec<usize>,
}

pub(super) fn parse(cx: &Ctxt, entry: &Entry) -> Option<IndexAttr> {
    let errors_before = cx.len();
    let mut name = Once::default();
    let mut columns = Once::default();
    for part in entry.list(cx, SHAPE)? {
        match part.name().as_str() {
            "name" => name.set(cx, &part.key, "name", part.value::<Ident>(cx, "by_a_and_b")),
            algorithm if ALGORITHMS.contains(&algorithm) => {
                columns.set(cx, &part.key, algorithm, columns_of(cx, &part));
            }
            "accessor" => cx.error(&part.key, "an index has a `name` here"),
            _ => part.unknown(cx, "index", &["name", "btree", "hash", "direct"]),
        }
    }
    match (name.take(), columns.take()) {
        (Some(name), Some(columns)) => Some(IndexAttr { name, columns }),
        _ => {
            if cx.len() == errors_before {
                cx.error(&entry.key, format!("expected `index({SHAPE})`"));
            }
            None
        }
    }
}

fn columns_of(cx: &Ctxt, algorithm: &Entry) -> Option<Vec<Ident>> {
    let mut columns = Once::default();
    for part in algorithm.list(cx, "columns = [a, b]")? {
        match part.name().as_str() {
            "columns" => {
                let list = part.value::<ColumnList>(cx, "[a, b]").map(|list| list.0);
                columns.set(cx, &part.key, "columns", list);
            }
            _ => part.unknown(cx, "index", &["columns"]),
        }
    }
    columns.take()
}

struct ColumnList(Vec<Ident>);

impl Parse for ColumnList {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let list;
        bracketed!(list in input);
        let columns = Punctuated::<Ident, Token![,]>::parse_terminated(&list)?;
        Ok(Self(columns.into_iter().collect()))
    }
}

impl IndexAttr {
    pub(super) fn name(&self) -> &Ident {
        &self.name
    }
}

impl MultiIndex {
    /// Finds the columns that the attribute names.
    pub(super) fn resolve(cx: &Ctxt, attr: &IndexAttr, row: &[ColumnModel<'_>]) -> Option<Self> {
        let IndexAttr { name, columns } = attr;
        let constant = crate::constant(name);
        if row.iter().any(|column| column.constant == constant) {
            let message = format!("`{constant}` is a column already; give the index another name");
            cx.error(name, message);
        }
        match columns.len() {
            0 => cx.error(name, "an index has columns; name them: `btree(columns = [a, b])`"),
            1 => cx.error(name, "write an index over one column on it: `#[index(btree)]`"),
            n if n > COLUMNS_MAX => {
                let message = format!("an index has at most {COLUMNS_MAX} columns here");
                cx.error(&columns[COLUMNS_MAX], message);
            }
            _ => (),
        }
        let mut found = Vec::with_capacity(columns.len());
        for column in columns {
            match row.iter().position(|candidate| candidate.ident == column) {
                None => cx.error(column, unknown_column(column, row)),
                Some(at) if found.contains(&at) => {
                    cx.error(column, format!("`{column}` is in this index twice; keep one"));
                }
                Some(at) => {
                    row[at].check_indexable(cx);
                    found.push(at);
                }
            }
        }
        let complete = found.len() == columns.len() && (2..=COLUMNS_MAX).contains(&found.len());
        complete.then_some(Self { constant, columns: found })
    }
}

fn unknown_column(column: &Ident, row: &[ColumnModel<'_>]) -> String {
    let alike = |candidate: &&ColumnModel<'_>| {
        *column == candidate.name
            || case::snake(&crate::name_of(candidate.ident)) == case::snake(&crate::name_of(column))
    };
    match row.iter().find(alike) {
        Some(meant) => format!("no field `{column}`; an index names fields: `{}`", meant.ident),
        None => format!("no field `{column}`; an index names fields of this struct"),
    }
}
