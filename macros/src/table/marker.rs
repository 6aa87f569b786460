//! The expansion for a further table: a unit struct with `row = ..`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, LitStr};

use super::arguments;
use super::model::{Kind, MarkerModel, TableInput};
use super::row::{has_indexes, table_def};
use crate::types::blame;

pub(super) fn implement(table: &TableInput<'_>, marker: &MarkerModel, stub: bool) -> TokenStream {
    let TableInput { ident, krate, kind, .. } = table;
    let row = &marker.row;
    let key = marker.primary_key.as_ref().filter(|_| !stub && *kind == Kind::View);
    let of_row = quote_spanned!(blame(row)=> <#row as #krate::__private::RowKeys>);
    let (primary_key, unique, indexes) = match (kind, key) {
        (Kind::View, None) => (quote!(::core::option::Option::None), quote!(&[]), quote!(&[])),
        (Kind::View, Some(_)) => {
            (quote!(::core::option::Option::Some(__KEY)), quote!(&[__KEY]), quote!(&[]))
        }
        (Kind::Table | Kind::Event, _) => {
            (quote!(#of_row::PRIMARY_KEY), quote!(#of_row::UNIQUE), quote!(#of_row::INDEXES))
        }
    };
    let table_def = table_def(table, &of_row, &primary_key, &unique, &indexes);
    let view_key = key.map(|column| view_key(table, marker, column));
    let has_key = has_key(table, marker, key.is_some());
    let has_indexes = has_indexes(ident, krate, *kind);
    let arguments = arguments::descriptors(table);
    quote! {
        // It is used as a type alone: nobody makes one, and that is no mistake.
        const _: #ident = #ident;
        #view_key
        #[automatically_derived]
        impl #krate::__private::Table for #ident {
            type Row = #row;
            const DEF: #krate::__private::TableDef = #table_def;
            #arguments
        }
        #has_key
        #has_indexes
    }
}

/// The column that a view names as its key. Whether the row has it so, only the compiler can say.
fn view_key(table: &TableInput<'_>, marker: &MarkerModel, column: &Ident) -> TokenStream {
    let krate = &table.krate;
    let row = &marker.row;
    let span = blame(column);
    let name = LitStr::new(&crate::name_of(column), span);
    let function = crate::respan(quote!(#krate::__private::view_key), span);
    let key = quote_spanned!(span=> #function::<#row>(#name));
    quote!(const __KEY: ::core::primitive::u16 = #key;)
}

/// A table has a key where its row has one, which this derive cannot see.
fn has_key(table: &TableInput<'_>, marker: &MarkerModel, view_key: bool) -> Option<TokenStream> {
    let TableInput { ident, krate, kind, .. } = table;
    let row = &marker.row;
    // The lifetime makes the bound one that is asked for at each use, and not here, where it may fail.
    let bound = match kind {
        Kind::Table => quote!(where for<'__at_use> #row: #krate::__private::KeyedRow),
        Kind::View if view_key => TokenStream::new(),
        Kind::View | Kind::Event => return None,
    };
    Some(quote! {
        #[automatically_derived]
        impl #krate::__private::HasKey for #ident #bound {}
    })
}
