//! The impls of `SqlValue` and `ViewArgument`, which a transparent struct has if its field has.

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
    // The lifetime makes the bound one that is asked for at each use, and not here, where it may fail.
    let bounded = |bound: TokenStream| {
        let mut generics = container.generics.clone();
        let bound = parse_quote!(for<'__at_use> #ty: #krate::__private::#bound);
        generics.make_where_clause().predicates.push(bound);
        generics
    };
    let (of_values, of_arguments) = (bounded(quote!(SqlValue)), bounded(quote!(ViewArgument)));
    let (impl_generics, ty_generics, _) = container.generics.split_for_impl();
    let where_value = &of_values.where_clause;
    let where_argument = &of_arguments.where_clause;
    let of_field = quote_spanned!(blame(ty)=> <#ty as #krate::__private::SqlValue>);
    Some(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::SqlValue for #ident #ty_generics #where_value {
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
        #[automatically_derived]
        impl #impl_generics #krate::__private::ViewArgument for #ident #ty_generics #where_argument {}
    })
}
