//! `#[derive(Table)]`.

mod arguments;
mod attrs;
mod column;
mod index;
mod marker;
mod model;
mod row;

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

#[cfg(feature = "schema")]
pub(crate) use self::model::{ColumnModel, Kind, MarkerModel, RowModel};
pub(crate) use self::model::{Shape, TableInput};
use crate::ctxt::Ctxt;
use crate::schema;

/// Expands the derive, or reports every mistake in the input at once.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let cx = Ctxt::default();
    let table = TableInput::parse(&cx, input);
    match cx.finish() {
        Ok(()) => {
            let implementation = implement(&table, false);
            let compared = table.schema.as_ref().map(|saved| {
                let cx = Ctxt::default();
                let checks = schema::check_table(&cx, saved, &table);
                let errors = cx.finish().err().map(syn::Error::into_compile_error);
                quote!(#errors #checks)
            });
            quote!(#implementation #compared)
        }
        Err(errors) => {
            let errors = errors.into_compile_error();
            // The impls exist all the same, or each use of the type would add an error of its own.
            let stub = implement(&table, true);
            quote!(#errors #stub)
        }
    }
}

fn implement(table: &TableInput<'_>, stub: bool) -> TokenStream {
    let query = arguments::query(table, stub);
    crate::scoped(match &table.shape {
        Shape::Row(row) => {
            let row = row::implement(table, row, stub);
            quote!(#row #query)
        }
        Shape::Marker(marker) => {
            let marker = marker::implement(table, marker, stub);
            quote!(#marker #query)
        }
        Shape::Broken => TokenStream::new(),
    })
}
