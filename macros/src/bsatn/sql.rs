//! The impl of `SqlValue`, which a transparent struct has if its field has.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse_quote;

use super::model::{Container, ProductField, Shape};
use crate::types::blame;

pub(super) fn implement(container: &Container<'_>, stub: bool) -> Option<TokenStream> {
    let Container { ident, krate, .. } = container;
    let Shape::Transparent(ProductField { member, ty, .. }) = &container.shape else { return None };
    if stub {
        return None;
    }
    let mut generics = container.generics.clone();
    // The lifetime makes the bound one that is asked for at each use, and not here, where it may fail.
    generics
        .make_where_clause()
        .predicates
        .push(parse_quote!(for<'__at_use> #ty: #krate::__private::SqlValue));
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, ty_generics, _) = container.generics.split_for_impl();
    let of_field = quote_spanned!(blame(ty)=> <#ty as #krate::__private::SqlValue>);
    Some(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::SqlValue for #ident #ty_generics #where_clause {
            #[inline]
            fn compare(&self, __other: &Self) -> ::core::cmp::Ordering {
                #of_field::compare(&self.#member, &__other.#member)
            }

            fn push_literal(
                &self,
                __sql: &mut #krate::__private::String,
            ) -> ::core::result::Result<(), #krate::__private::NoLiteral> {
                #of_field::push_literal(&self.#member, __sql)
            }
        }
    })
}
