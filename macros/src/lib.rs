//! The derives and attributes of Lightlike.

mod attr;
mod bsatn;
mod call;
mod case;
mod ctxt;
mod table;
mod types;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{DeriveInput, Path, parse_macro_input, parse_quote};

#[proc_macro_derive(Bsatn, attributes(bsatn))]
pub fn derive_bsatn(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    bsatn::derive(&parse_macro_input!(input as DeriveInput)).into()
}

#[proc_macro_derive(Table, attributes(table, primary_key, unique, index, column, auto_inc))]
pub fn derive_table(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    table::derive(&parse_macro_input!(input as DeriveInput)).into()
}

#[proc_macro_attribute]
pub fn reducer(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    call::expand(call::Function::Reducer, args.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn procedure(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    call::expand(call::Function::Procedure, args.into(), item.into()).into()
}

/// The facade that generated code names everything through.
fn facade(krate: Option<Path>) -> Path {
    krate.unwrap_or_else(|| parse_quote!(::lightlike))
}

/// An identifier as text, without the `r#` of a raw one.
fn name_of(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The constant that stands for a field or an index: `user_id` is `USER_ID`.
fn constant(ident: &Ident) -> Ident {
    let name = case::screaming(&name_of(ident));
    // The letters of some scripts have capitals that no identifier can have.
    match syn::parse_str::<Ident>(&name) {
        Ok(constant) => Ident::new(&constant.to_string(), ident.span()),
        Err(_) => ident.clone(),
    }
}

/// `Some(value)` or `None`.
fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// The body of a stub, which no program runs: it stands beside an error.
fn unreachable() -> TokenStream {
    quote!(::core::unreachable!())
}

/// Impls in a scope of their own, exempt from the lints of the user's crate that are about code that people wrote.
fn unseen(items: TokenStream) -> TokenStream {
    quote! {
        #[allow(deprecated, unused_qualifications, clippy::absolute_paths)]
        const _: () = { #items };
    }
}
