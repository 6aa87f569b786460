//! The generics of the impls: those of the type, with the bounds that its fields need.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{GenericParam, Generics, Path, parse_quote};

/// The type's generics, with `bound` on every type parameter.
pub(super) fn bounded(generics: &Generics, bound: &TokenStream) -> Generics {
    let mut generics = generics.clone();
    let types: Vec<_> = generics.type_params().map(|param| param.ident.clone()).collect();
    if !types.is_empty() {
        let clause = generics.make_where_clause();
        clause
            .predicates
            .extend(types.iter().map(|ty| -> syn::WherePredicate { parse_quote!(#ty: #bound) }));
    }
    generics
}

/// The generics of an impl of `Decode<'__de>`: the input outlives all that the type may borrow from it.
pub(super) fn decoding(generics: &Generics, krate: &Path) -> Generics {
    let mut generics = bounded(generics, &quote!(#krate::__private::Decode<'__de>));
    let lifetimes: Vec<_> = generics.lifetimes().map(|param| param.lifetime.clone()).collect();
    let de: GenericParam = if lifetimes.is_empty() {
        parse_quote!('__de)
    } else {
        parse_quote!('__de: #(#lifetimes)+*)
    };
    generics.params.insert(0, de);
    generics
}
