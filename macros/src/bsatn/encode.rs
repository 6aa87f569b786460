//! The impl of `Encode`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Path, Type};

use super::generics::bounded;
use super::model::{Container, Other, ProductField, Shape, Variant};
use crate::types::blame;

pub(super) fn implement(container: &Container<'_>, stub: bool) -> TokenStream {
    let Container { ident, krate, .. } = container;
    let encode = if stub { crate::unreachable() } else { encode(container) };
    let matches = if stub { crate::unreachable() } else { matches(container) };
    let generics = bounded(container.generics, &quote!(#krate::__private::Encode));
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, ty_generics, _) = container.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Encode for #ident #ty_generics #where_clause {
            #[inline]
            fn encode(&self, __out: &mut #krate::__private::Writer) {
                #encode
            }

            #[inline]
            fn matches(
                &self,
                __reader: &mut #krate::__private::Reader<'_>,
            ) -> ::core::primitive::bool {
                #matches
            }
        }
    }
}

fn encode(container: &Container<'_>) -> TokenStream {
    let krate = &container.krate;
    match &container.shape {
        Shape::Product(fields) => {
            let fields = fields.iter().map(|ProductField { member, ty, .. }| {
                let value = encode_value(krate, ty, quote!(&self.#member));
                quote!(#value;)
            });
            quote!(#(#fields)*)
        }
        Shape::Transparent(ProductField { member, ty, .. }) => {
            encode_value(krate, ty, quote!(&self.#member))
        }
        Shape::Sum(sum) => {
            let arms =
                sum.variants.iter().map(|Variant { ident, tag, payload, .. }| match payload {
                    None => quote!(Self::#ident => __out.tag(#tag),),
                    Some(ty) => {
                        let value = encode_value(krate, ty, quote!(__value));
                        quote! {
                            Self::#ident(__value) => {
                                __out.tag(#tag);
                                #value;
                            }
                        }
                    }
                });
            let other = sum.other.as_ref().map(|Other { ident, ty }| {
                let encode = of_other(krate, ty, quote!(encode));
                quote!(Self::#ident(__value) => #encode(__value, __out),)
            });
            match_self(quote!(#(#arms)* #other))
        }
    }
}

fn matches(container: &Container<'_>) -> TokenStream {
    let krate = &container.krate;
    match &container.shape {
        Shape::Product(fields) => {
            let fields = fields.iter().map(|ProductField { member, ty, .. }| {
                matches_value(krate, ty, quote!(&self.#member))
            });
            // Each on its own line in the expansion, and `true` for a product of none.
            quote!(true #(&& #fields)*)
        }
        Shape::Transparent(ProductField { member, ty, .. }) => {
            matches_value(krate, ty, quote!(&self.#member))
        }
        Shape::Sum(sum) => {
            let arms =
                sum.variants.iter().map(|Variant { ident, tag, payload, .. }| match payload {
                    None => quote!(Self::#ident => __reader.take_if_equal(&[#tag]),),
                    Some(ty) => {
                        let value = matches_value(krate, ty, quote!(__value));
                        quote!(Self::#ident(__value) => __reader.take_if_equal(&[#tag]) && #value,)
                    }
                });
            let other = sum.other.as_ref().map(|Other { ident, ty }| {
                let matches = of_other(krate, ty, quote!(matches));
                quote!(Self::#ident(__value) => #matches(__value, __reader),)
            });
            match_self(quote!(#(#arms)* #other))
        }
    }
}

/// An enum without variants is matched by value: a reference to one is not known to be empty.
fn match_self(arms: TokenStream) -> TokenStream {
    if arms.is_empty() { quote!(match *self {}) } else { quote!(match self { #arms }) }
}

/// `<ty as OtherVariant>::item`, of what a `#[bsatn(other)]` variant holds.
pub(super) fn of_other(krate: &Path, ty: &Type, item: TokenStream) -> TokenStream {
    quote_spanned!(blame(ty)=> <#ty as #krate::__private::OtherVariant>::#item)
}

/// Spanned to the type, so that "has no BSATN encoding" underlines the field and not the derive.
fn encode_value(krate: &Path, ty: &Type, value: TokenStream) -> TokenStream {
    let encode = quote_spanned!(blame(ty)=> <#ty as #krate::__private::Encode>::encode);
    quote!(#encode(#value, __out))
}

fn matches_value(krate: &Path, ty: &Type, value: TokenStream) -> TokenStream {
    let matches = quote_spanned!(blame(ty)=> <#ty as #krate::__private::Encode>::matches);
    quote!(#matches(#value, __reader))
}
