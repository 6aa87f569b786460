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

use self::model::{Shape, TableInput};
use crate::ctxt::Ctxt;

/// Expands the derive, or reports every mistake in the input at once.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let cx = Ctxt::default();
    let table = TableInput::parse(&cx, input);
    match cx.finish() {
        Ok(()) => implement(&table, false),
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
