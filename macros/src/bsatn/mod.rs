//! `#[derive(Bsatn)]`.

mod attrs;
mod decode;
#[cfg(all(feature = "schema", not(test)))]
mod described;
mod encode;
mod generics;
mod model;
mod sats;
mod sql;

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

pub(crate) use attrs::{ContainerAttrs, explicit_name, field_name};
pub(crate) use sats::type_ref;

use self::model::Container;
use crate::ctxt::{Ctxt, quietly};

/// Expands the derive, or reports every mistake in the input at once.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    if is_derived_by_a_call(input) {
        return TokenStream::new();
    }
    let cx = Ctxt::default();
    let container = Container::parse(&cx, input);
    match cx.finish() {
        Ok(()) => implement(&container, false),
        Err(errors) => {
            let errors = errors.into_compile_error();
            // The impls exist all the same, or each use of the type would add an error of its own.
            let stub = implement(&container, true);
            quote!(#errors #stub)
        }
    }
}

/// The impls beside an error of another macro, which is the one to report it.
pub(crate) fn stub(input: &DeriveInput) -> TokenStream {
    implement(&quietly(|cx| Container::parse(cx, input)), true)
}

/// Returns `true` if `#[reducer]` or `#[procedure]` still waits below the derive: they bring the derive along.
fn is_derived_by_a_call(input: &DeriveInput) -> bool {
    let names = input.attrs.iter().filter_map(|attr| attr.path().segments.last());
    names.into_iter().any(|last| last.ident == "reducer" || last.ident == "procedure")
}

fn implement(container: &Container<'_>, stub: bool) -> TokenStream {
    let encode = encode::implement(container, stub);
    let decode = decode::implement(container, stub);
    let sats = sats::implement(container, stub);
    // Snapshots are the same with the feature and without: whatever else is built decides on it.
    #[cfg(all(feature = "schema", not(test)))]
    let sats = {
        let described = described::implement(container, stub);
        quote!(#sats #described)
    };
    let sql = sql::implement(container, stub);
    let check = (!stub).then(|| decode::check(container));
    crate::scoped(quote!(#encode #decode #sats #sql #check))
}
