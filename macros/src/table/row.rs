//! The expansion for a row: its columns as constants, `Row`, and the table that it is the marker of.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Path;

use super::arguments;
use super::model::{ColumnModel, Kind, RowModel, TableInput};
use crate::bsatn::type_ref;
use crate::types::{blame, may_be_open};

pub(super) fn implement(table: &TableInput<'_>, row: &RowModel<'_>, stub: bool) -> TokenStream {
    let constants = constants(table, row, stub);
    let inherit = inherit(table, row);
    let implement_row = implement_row(table, row, stub);
    let implement_table = implement_table(table, row);
    quote!(#constants #implement_row #inherit #implement_table)
}

/// `User::IDENTITY`, and one constant an index over several columns.
fn constants(table: &TableInput<'_>, row: &RowModel<'_>, stub: bool) -> TokenStream {
    let ident = table.ident;
    let columns =
        row.columns.iter().enumerate().map(|(at, column)| column_constant(table, at, column));
    // Their types may be what is wrong.
    let indexes = (!stub).then(|| index_constants(table, row));
    quote! {
        // Nobody uses every column, and the field that decides on the visibility was linted itself.
        #[allow(dead_code, unreachable_pub)]
        #[automatically_derived]
        impl #ident {
            #(#columns)*
            #indexes
        }
    }
}

fn column_constant(table: &TableInput<'_>, at: usize, column: &ColumnModel<'_>) -> TokenStream {
    let TableInput { ident: row, krate, rust_name, .. } = table;
    let ColumnModel { field, ident, constant, name, .. } = column;
    let (vis, ty) = (&field.vis, &field.ty);
    let index = position(at);
    let kind = column.kind(krate);
    let doc = format!(" The column `{name}` of [`{rust_name}`].");
    quote! {
        #[doc = #doc]
        #vis const #constant: #krate::__private::Column<#row, #ty, #kind> =
            #krate::__private::Column::new(#index, #name, |__row| &__row.#ident);
    }
}

fn index_constants(table: &TableInput<'_>, row: &RowModel<'_>) -> TokenStream {
    let TableInput { ident, krate, rust_name, .. } = table;
    let constants = row.indexes.iter().map(|index| {
        let constant = &index.constant;
        let vis = row.visibility(&index.columns);
        let columns = index.columns.iter().map(|&at| &row.columns[at]);
        let types = columns.clone().map(|column| &column.field.ty);
        let positions = index.columns.iter().map(|&at| position(at));
        let names: Vec<_> = columns.clone().map(|column| format!("`{}`", column.name)).collect();
        let doc = format!(" The index over {} of [`{rust_name}`].", names.join(", "));
        let fields = columns.map(|column| column.ident);
        quote! {
            #[doc = #doc]
            #vis const #constant: #krate::__private::MultiIndex<#ident, (#(#types,)*)> =
                #krate::__private::MultiIndex::new(&[#(#positions),*], |__row| (#(&__row.#fields,)*));
        }
    });
    quote!(#(#constants)*)
}

fn implement_row(table: &TableInput<'_>, row: &RowModel<'_>, stub: bool) -> TokenStream {
    let TableInput { ident, krate, .. } = table;
    let Key { ty, get, decode } = if stub { Key::stub() } else { Key::of(table, row) };
    let visit = if stub { crate::unreachable() } else { visit_indexes(row) };
    let def = row_def(table, stub);
    quote! {
        // The lifetime makes the bound one that is asked for where the row is used. That is in one place, so that a
        // struct without `Bsatn` is one error and not one for each trait that a row has.
        #[automatically_derived]
        impl #krate::__private::Row for #ident
        where
            for<'__at_use> #ident: #krate::__private::Encoded,
        {
            const DEF: #krate::__private::RowDef = #def;
            type Key = #ty;

            #[inline]
            fn key(&self) -> &Self::Key {
                #get
            }

            #[inline]
            fn decode_key(
                __reader: &mut #krate::__private::Reader<'_>,
            ) -> ::core::result::Result<Self::Key, #krate::__private::DecodeError> {
                #decode
            }

            fn visit_indexes(__visitor: &mut impl #krate::__private::IndexVisitor<Self>) {
                #visit
            }
        }
    }
}

/// The row's descriptor. Of a lenient row it is an error if its end must be known.
fn row_def(table: &TableInput<'_>, stub: bool) -> TokenStream {
    let TableInput { krate, rust_name, lenient, .. } = table;
    let def = quote!(<Self as #krate::__private::RowKeys>::ROW);
    if stub || !lenient {
        return def;
    }
    let message = format!(
        "`{rust_name}` is lenient, so that nothing says where its last column ends, and keeps unknown variants with their \
         values (`UnknownVariant`); remove `lenient`, or keep the tags alone: `Other(u8)`"
    );
    quote! {
        {
            ::core::assert!(!<Self as #krate::__private::Decode<'static>>::OPEN, #message);
            #def
        }
    }
}

/// The parts of `Row` that are about the primary key.
struct Key {
    ty: TokenStream,
    get: TokenStream,
    decode: TokenStream,
}

impl Key {
    fn of(table: &TableInput<'_>, row: &RowModel<'_>) -> Self {
        let krate = &table.krate;
        let Some(at) = row.primary_key() else {
            return Self {
                ty: quote!(()),
                get: quote!(&()),
                decode: quote! {
                    let _ = __reader;
                    ::core::result::Result::Ok(())
                },
            };
        };
        let ColumnModel { ident, field, .. } = &row.columns[at];
        let ty = &field.ty;
        let skip = skip(table, &row.columns[..at]);
        let closed = closed_to_key(table, &row.columns[..=at]);
        let decode = quote_spanned!(blame(ty)=> <#ty as #krate::__private::Decode<'_>>::decode);
        Self {
            ty: quote!(#ty),
            get: quote!(&self.#ident),
            decode: quote!(#closed #skip #decode(__reader)),
        }
    }

    fn stub() -> Self {
        Self { ty: quote!(()), get: crate::unreachable(), decode: crate::unreachable() }
    }
}

/// The check that no column up to the key keeps unknown variants with their values: the key is read alone, and nothing
/// says then where such a value ends.
fn closed_to_key(table: &TableInput<'_>, columns: &[ColumnModel<'_>]) -> TokenStream {
    let TableInput { krate, rust_name, .. } = table;
    let columns = columns.iter().filter(|column| may_be_open(&column.field.ty)).map(|column| {
        let (ty, name) = (&column.field.ty, &column.name);
        let message = format!(
            "the column `{name}` of `{rust_name}` keeps unknown variants with their values (`UnknownVariant`), and is, or \
             stands in front of, the primary key; move it behind the key, or keep the tags alone: `Other(u8)`"
        );
        let open = quote_spanned!(blame(ty)=> <#ty as #krate::__private::Decode<'static>>::OPEN);
        quote!(const { ::core::assert!(!#open, #message) };)
    });
    quote!(#(#columns)*)
}

/// Moves past the columns before the key: by a constant where their sizes are constant.
fn skip(table: &TableInput<'_>, before: &[ColumnModel<'_>]) -> TokenStream {
    if before.is_empty() {
        return TokenStream::new();
    }
    let TableInput { krate, rust_name, .. } = table;
    let item = |column: &ColumnModel<'_>, lifetime: TokenStream, item: TokenStream| {
        let ty = &column.field.ty;
        quote_spanned!(blame(ty)=> <#ty as #krate::__private::Decode<#lifetime>>::#item)
    };
    let sizes = before.iter().map(|column| item(column, quote!('static), quote!(SIZE)));
    let skips = before.iter().map(|column| item(column, quote!('_), quote!(skip)));
    quote! {
        match const { #krate::__private::size::sum(&[#(#sizes),*]) } {
            ::core::option::Option::Some(__size) => {
                __reader.bytes(__size, #rust_name)?;
            }
            ::core::option::Option::None => {
                #(#skips(__reader)?;)*
            }
        }
    }
}

fn visit_indexes(row: &RowModel<'_>) -> TokenStream {
    let uniques = row.columns.iter().enumerate().filter(|(_, column)| column.unique.is_some());
    let uniques = uniques.map(|(at, ColumnModel { ident, field, .. })| {
        let at = position(at);
        let ty = &field.ty;
        let unique = quote_spanned!(blame(ty)=> __visitor.unique::<#ty>);
        quote!(#unique(#at, |__row| &__row.#ident);)
    });
    let ordered = ordered(row).map(|columns| {
        let positions = columns.iter().map(|&at| position(at));
        let columns = columns.iter().map(|&at| &row.columns[at]);
        let compare = compare(columns, |field, _| (quote!(&__a.#field), quote!(&__b.#field)));
        quote!(__visitor.ordered(&[#(#positions),*], |__a, __b| #compare);)
    });
    let visits: Vec<_> = uniques.chain(ordered).collect();
    if visits.is_empty() { quote!(let _ = __visitor;) } else { quote!(#(#visits)*) }
}

/// The columns of each ordered index: those over one column first.
fn ordered<'a>(row: &'a RowModel<'_>) -> impl Iterator<Item = Vec<usize>> + 'a {
    let single = row.columns.iter().enumerate().filter(|(_, column)| column.index.is_some());
    let several = row.indexes.iter().map(|index| index.columns.clone());
    single.map(|(at, _)| vec![at]).chain(several)
}

/// The order by some columns, one after the other; `sides` gives what to compare for each.
fn compare<'a>(
    columns: impl Iterator<Item = &'a ColumnModel<'a>>,
    sides: impl Fn(&syn::Ident, usize) -> (TokenStream, TokenStream),
) -> TokenStream {
    let orders = columns.enumerate().map(|(at, column)| {
        let (left, right) = sides(column.ident, at);
        let ty = &column.field.ty;
        let cmp = quote_spanned!(blame(ty)=> <#ty as ::core::cmp::Ord>::cmp);
        quote!(#cmp(#left, #right))
    });
    let orders =
        orders.reduce(|all, next| quote!(::core::cmp::Ordering::then_with(#all, || #next)));
    orders.unwrap_or_else(|| quote!(::core::cmp::Ordering::Equal))
}

/// Items that the row's further tables inherit.
fn inherit(table: &TableInput<'_>, row: &RowModel<'_>) -> TokenStream {
    let TableInput { ident, krate, rust_name, lenient, .. } = table;
    let columns = row.columns.iter().map(|ColumnModel { name, field, .. }| {
        let ty = type_ref(krate, &field.ty);
        quote!(#krate::__private::ColumnDef { name: #name, ty: #ty })
    });
    let primary_key = crate::option(row.primary_key().map(|at| {
        let at = position(at);
        quote!(#at)
    }));
    let unique = row.columns.iter().enumerate();
    let unique = unique.filter(|(_, column)| column.primary.is_some() || column.unique.is_some());
    let unique = unique.map(|(at, _)| position(at));
    let indexes = ordered(row).map(|columns| {
        let columns = columns.iter().map(|&at| position(at));
        quote!(#krate::__private::IndexDef { columns: &[#(#columns),*] })
    });
    let fields = row.columns.iter().map(|column| crate::name_of(column.ident));
    let keyed = row.primary_key().map(|_| {
        quote! {
            #[automatically_derived]
            impl #krate::__private::KeyedRow for #ident {}
        }
    });
    quote! {
        #[automatically_derived]
        impl #krate::__private::RowKeys for #ident {
            const ROW: #krate::__private::RowDef = #krate::__private::RowDef {
                name: #rust_name,
                columns: &[#(#columns),*],
                lenient: #lenient,
            };
            const FIELDS: &'static [&'static ::core::primitive::str] = &[#(#fields),*];
            const PRIMARY_KEY: ::core::option::Option<::core::primitive::u16> = #primary_key;
            const UNIQUE: &'static [::core::primitive::u16] = &[#(#unique),*];
            const INDEXES: &'static [#krate::__private::IndexDef] = &[#(#indexes),*];
        }
        #keyed
    }
}

/// The struct is the marker of its own table.
fn implement_table(table: &TableInput<'_>, row: &RowModel<'_>) -> TokenStream {
    let TableInput { ident, krate, kind, .. } = table;
    let own = quote!(<#ident as #krate::__private::RowKeys>);
    let table_def = table_def(
        table,
        &own,
        &quote!(#own::PRIMARY_KEY),
        &quote!(#own::UNIQUE),
        &quote!(#own::INDEXES),
    );
    // An event table keeps no rows, so there is nothing to find in one.
    let has_key = (row.primary_key().is_some() && *kind != Kind::Event).then(|| {
        quote! {
            #[automatically_derived]
            impl #krate::__private::HasKey for #ident {}
        }
    });
    let has_indexes = has_indexes(ident, krate, *kind);
    let arguments = arguments::descriptors(table);
    let row_type = quote_spanned!(blame(ident)=> #ident);
    quote! {
        #[automatically_derived]
        impl #krate::__private::Table for #ident {
            type Row = #row_type;
            const DEF: #krate::__private::TableDef = #table_def;
            #arguments
        }
        #has_key
        #has_indexes
    }
}

/// The constant that describes a table; `row` is where its row's descriptors are.
pub(super) fn table_def(
    table: &TableInput<'_>,
    row: &TokenStream,
    primary_key: &TokenStream,
    unique: &TokenStream,
    indexes: &TokenStream,
) -> TokenStream {
    let TableInput { krate, name, kind, .. } = table;
    let kind = match kind {
        Kind::Table => quote!(Table),
        Kind::Event => quote!(Event),
        Kind::View => quote!(View),
    };
    quote! {
        #krate::__private::TableDef {
            name: #name,
            kind: #krate::__private::TableKind::#kind,
            row: #row::ROW,
            primary_key: #primary_key,
            unique: #unique,
            indexes: #indexes,
        }
    }
}

/// The promise that a table has its row's unique columns and indexes. Views have none, and event tables keep no rows.
pub(super) fn has_indexes(ident: &syn::Ident, krate: &Path, kind: Kind) -> Option<TokenStream> {
    (kind == Kind::Table).then(|| {
        quote! {
            #[automatically_derived]
            impl #krate::__private::HasUniques for #ident {}
            #[automatically_derived]
            impl #krate::__private::HasIndexes for #ident {}
        }
    })
}

/// A column's position as the descriptors have it; that it fits was checked.
fn position(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}
