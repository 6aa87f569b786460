//! A schema's type as a constant, beside the Rust type that ought to be it.

use lightlike_core::schema::{ServerSchema, ServerType};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Path, Type};

use crate::types::blame;

/// More than any schema has.
const MAX_DEPTH: usize = 64;

/// Compares a Rust type with one of the schema's while the program is compiled. A difference is reported at the type.
pub(super) fn check(
    krate: &Path,
    schema: &ServerSchema,
    theirs: &ServerType,
    ours: &Type,
    message: &str,
) -> TokenStream {
    check_at(krate, schema, theirs, &quote!(#ours), blame(ours), message)
}

/// As [`check`], reported somewhere else.
pub(super) fn check_at(
    krate: &Path,
    schema: &ServerSchema,
    theirs: &ServerType,
    ours: &TokenStream,
    at: Span,
    message: &str,
) -> TokenStream {
    let at = Span::call_site().located_at(at);
    let theirs = constant(krate, schema, theirs, 0);
    let fixed = quote!(#krate::__private::fixed);
    let check = crate::respan(quote!(#fixed::check_type), at);
    let described = quote_spanned!(at=> <#ours as #fixed::Described>::As);
    let call = crate::respan(quote!((#theirs, <#described as #fixed::Shape>::TYPE, #message)), at);
    quote_spanned!(at=> const _: () = #check #call;)
}

/// `&StaticType::..`
fn constant(krate: &Path, schema: &ServerSchema, ty: &ServerType, depth: usize) -> TokenStream {
    let of = quote!(#krate::__private::fixed::StaticType);
    if depth > MAX_DEPTH {
        // A type that contains itself, which no program's type can be compared with.
        return quote!(&#of::UNIT);
    }
    let inner = |ty| constant(krate, schema, ty, depth + 1);
    match ty {
        ServerType::Ref(at) => match schema.typespace.get(*at as usize) {
            Some(ty) => named(krate, schema, ty, schema.type_name(*at), depth + 1),
            None => quote!(&#of::UNIT),
        },
        ServerType::Scalar(scalar) => {
            let scalar = format_ident!("{scalar:?}");
            quote!(&#of::Scalar(#krate::__private::fixed::Scalar::#scalar))
        }
        ServerType::Array(element) => {
            let element = inner(element);
            quote!(&#of::Array(#element))
        }
        ServerType::Option(some) => {
            let some = inner(some);
            quote!(&#of::Option(#some))
        }
        ServerType::Result(ok, err) => {
            let (ok, err) = (inner(ok), inner(err));
            quote!(&#of::Result(#ok, #err))
        }
        ServerType::Product(_) | ServerType::Sum(_) => named(krate, schema, ty, None, depth),
    }
}

/// A product or a sum with its name, if it has one.
fn named(
    krate: &Path,
    schema: &ServerSchema,
    ty: &ServerType,
    name: Option<&str>,
    depth: usize,
) -> TokenStream {
    let (kind, parts) = match ty {
        ServerType::Product(fields) => {
            let fields = fields.iter().map(|field| (field.name.as_deref(), Some(&field.ty)));
            (quote!(Product), fields.collect::<Vec<_>>())
        }
        ServerType::Sum(variants) => {
            let variants =
                variants.iter().map(|variant| (variant.name.as_deref(), variant.payload.as_ref()));
            (quote!(Sum), variants.collect())
        }
        ty => return constant(krate, schema, ty, depth),
    };
    let fixed = quote!(#krate::__private::fixed);
    let names: Option<Vec<_>> = parts.iter().map(|(name, _)| *name).collect();
    let names = names.unwrap_or_default();
    let name = crate::option(name.map(|name| quote!(#name)));
    let none = quote!(::core::option::Option::None);
    let empty = quote!(#fixed::StaticTypes { first: #none });
    let types = parts.iter().rev().fold(empty, |rest, (_, ty)| {
        let ty = match ty {
            Some(ty) => constant(krate, schema, ty, depth + 1),
            None => quote!(&#fixed::StaticType::UNIT),
        };
        quote!(#fixed::StaticTypes { first: ::core::option::Option::Some((#ty, &#rest)) })
    });
    let unknown = matches!(ty, ServerType::Sum(_))
        .then(|| quote!(, unknown: #fixed::UnknownVariants::Refused));
    quote!(&#fixed::StaticType::#kind { name: #name, names: &[#(#names),*], types: #types #unknown })
}
