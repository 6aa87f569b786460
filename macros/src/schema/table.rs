//! A table or a view beside the schema's.

use lightlike_core::schema::{ServerField, ServerSchema, ServerType};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use super::file::{self, File};
use super::{SavedSchema, types};
use crate::ctxt::Ctxt;
use crate::table::{ColumnModel, Kind, MarkerModel, RowModel, Shape, TableInput};
use crate::types::{blame, text};

/// Reports in what a table differs from the schema; what only the compiler can compare is left to it.
pub(crate) fn check_table(cx: &Ctxt, saved: &SavedSchema, table: &TableInput<'_>) -> TokenStream {
    let Some(File { schema, tracked }) = file::read(cx, saved) else { return TokenStream::new() };
    let Some(theirs) = Theirs::find(cx, &schema, table) else { return tracked };
    let checks = match &table.shape {
        Shape::Row(row) => theirs.check_row(cx, row),
        Shape::Marker(marker) => theirs.check_marker(marker),
        Shape::Broken => TokenStream::new(),
    };
    quote!(#tracked #checks)
}

/// A table or a view of the schema, beside ours.
struct Theirs<'t> {
    schema: &'t ServerSchema,
    table: &'t TableInput<'t>,
    /// `table message`
    item: String,
    columns: &'t [ServerField],
    /// None if the schema does not tell.
    primary_key: Option<Option<u16>>,
    unique: &'t [u16],
    indexes: Vec<&'t [u16]>,
}

impl<'t> Theirs<'t> {
    fn find(cx: &Ctxt, schema: &'t ServerSchema, table: &'t TableInput<'t>) -> Option<Self> {
        let TableInput { ident, name, kind, .. } = table;
        let view = schema.view(name);
        let found = schema.table(name);
        if *kind == Kind::View {
            let Some(view) = view else {
                let what = if found.is_some() {
                    "server has a table, struct has a view"
                } else {
                    "server has no such view"
                };
                cx.error(ident, format!("view {name}: {what}"));
                return None;
            };
            return Some(Self {
                schema,
                table,
                item: format!("view {name}"),
                columns: &view.columns,
                primary_key: (schema.version > 9).then_some(view.primary_key),
                unique: &[],
                indexes: Vec::new(),
            });
        }
        let Some(found) = found else {
            let what = if view.is_some() {
                "server has a view, struct has a table"
            } else {
                "server has no such table"
            };
            cx.error(ident, format!("table {name}: {what}"));
            return None;
        };
        let event = *kind == Kind::Event;
        if found.event.is_some_and(|theirs| theirs != event) {
            let what = match event {
                true => "server has a table whose rows stay, struct has an event table",
                false => "server has an event table, struct has a table whose rows stay",
            };
            cx.error(ident, format!("table {name}: {what}"));
        }
        Some(Self {
            schema,
            table,
            item: format!("table {name}"),
            columns: &found.columns,
            primary_key: Some(found.primary_key),
            unique: &found.unique,
            indexes: found.indexes.iter().map(|index| &index.columns[..]).collect(),
        })
    }

    fn check_row(&self, cx: &Ctxt, row: &RowModel<'_>) -> TokenStream {
        let theirs = if self.table.lenient { 0 } else { self.columns.len() };
        let checks: TokenStream = (0..theirs.max(row.columns.len()))
            .map(|at| self.check_column(cx, at, row.columns.get(at)))
            .collect();
        self.check_key(cx, row);
        for column in row.columns.iter().filter(|column| column.unique.is_some()) {
            if !self.position(column).is_some_and(|at| self.unique.contains(&at)) {
                let Self { item, .. } = self;
                let message = format!("{item}: struct has {} unique, server has not", column.name);
                cx.error_at(column.unique.unwrap_or_else(Span::call_site), message);
            }
        }
        let single = row.columns.iter().filter_map(|column| Some((column.index?, vec![column])));
        let several = row.indexes.iter().map(|index| {
            let columns = index.columns.iter().filter_map(|&at| row.columns.get(at));
            (index.constant.span(), columns.collect())
        });
        for (at, columns) in single.chain(several) {
            self.check_index(cx, at, &columns);
        }
        checks
    }

    fn check_column(&self, cx: &Ctxt, at: usize, ours: Option<&ColumnModel<'_>>) -> TokenStream {
        let Self { schema, item, .. } = self;
        let theirs = self.columns.get(at);
        let shown = theirs.map_or_else(
            || "no column".to_owned(),
            |theirs| {
                let name = theirs.name.as_deref().unwrap_or("_");
                format!("{name}: {}", schema.display(&theirs.ty))
            },
        );
        let at = at + 1;
        let Some(ours) = ours else {
            let message = format!("{item}, column {at}: server has {shown}, struct has no column");
            cx.error(self.table.ident, message);
            return TokenStream::new();
        };
        let ty = &ours.field.ty;
        let message = format!(
            "{item}, column {at}: server has {shown}, struct has {}: {}",
            ours.name,
            text(ty)
        );
        match theirs {
            Some(theirs) if theirs.name.as_deref().is_none_or(|name| name == ours.name) => {
                types::check(&self.table.krate, schema, &theirs.ty, ty, &message)
            }
            _ => {
                cx.error(ours.field_tokens(), message);
                TokenStream::new()
            }
        }
    }

    fn check_key(&self, cx: &Ctxt, row: &RowModel<'_>) {
        let Some(key) = self.primary_key else { return };
        let theirs = key.and_then(|at| self.columns.get(usize::from(at)));
        let theirs = theirs.and_then(|column| column.name.as_deref());
        let ours = row.primary_key().and_then(|at| row.columns.get(at));
        if theirs == ours.map(|column| &*column.name) {
            return;
        }
        let message = format!(
            "{}, primary key: server has {}, struct has {}",
            self.item,
            theirs.unwrap_or("none"),
            ours.map_or("none", |column| &column.name),
        );
        let meant = row.columns.iter().find(|column| Some(&*column.name) == theirs);
        match (ours.and_then(|column| column.primary), meant) {
            (Some(at), _) => cx.error_at(at, message),
            (None, Some(column)) => cx.error(column.ident, message),
            (None, None) => cx.error(self.table.ident, message),
        }
    }

    fn check_index(&self, cx: &Ctxt, at: Span, columns: &[&ColumnModel<'_>]) {
        let positions: Option<Vec<_>> =
            columns.iter().map(|column| self.position(column)).collect();
        if positions.is_some_and(|positions| self.indexes.contains(&&positions[..])) {
            return;
        }
        let names: Vec<_> = columns.iter().map(|column| &*column.name).collect();
        let names = names.join(", ");
        let message = format!("{}, index: struct has one over {names}, server has none", self.item);
        cx.error_at(at, message);
    }

    /// Position of a column of ours on the server.
    fn position(&self, column: &ColumnModel<'_>) -> Option<u16> {
        let name = Some(&*column.name);
        let at = self.columns.iter().position(|theirs| theirs.name.as_deref() == name)?;
        u16::try_from(at).ok()
    }

    /// The row stands elsewhere, so all of it is left to the compiler.
    fn check_marker(&self, marker: &MarkerModel) -> TokenStream {
        let Self { item, table, .. } = self;
        let (krate, row, ident) = (&table.krate, &marker.row, table.ident);
        let expected = ServerType::Product(self.columns.to_vec());
        let message = format!("{item}: its rows are no `{}`", text(row));
        let at = blame(row);
        let checks =
            types::check_at(krate, self.schema, &expected, &row.to_token_stream(), at, &message);
        let key = self.primary_key.map(|key| {
            let name = key.and_then(|at| self.columns.get(usize::from(at))?.name.as_deref());
            let message = format!(
                "{item}, primary key: server has {}, struct has another",
                name.unwrap_or("none")
            );
            let at = blame(ident);
            let key = crate::option(key.map(|key| quote!(#key)));
            let check = crate::respan(quote!(#krate::__private::fixed::check_key), at);
            let def = quote!(<#ident as #krate::__private::Table>::DEF);
            let call = crate::respan(quote!((#key, #def.primary_key, #message)), at);
            quote_spanned!(at=> const _: () = #check #call;)
        });
        quote!(#checks #key)
    }
}
