//! The impl of `Sats`: the type as SpacetimeDB sees it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Path, Type};

use super::encode::of_other;
use super::generics::bounded;
use super::model::{Container, ProductField, Shape, Sum, Variant};
use crate::types::blame;

pub(super) fn implement(container: &Container<'_>, stub: bool) -> TokenStream {
    let Container { ident, krate, name, .. } = container;
    let ty = if stub {
        product(krate, name, TokenStream::new())
    } else {
        describe(krate, name, &container.shape)
    };
    let generics = bounded(container.generics, &quote!(#krate::__private::Sats));
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, ty_generics, _) = container.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Sats for #ident #ty_generics #where_clause {
            const TYPE: #krate::__private::SatsType = #ty;
        }
    }
}

fn describe(krate: &Path, name: &str, shape: &Shape<'_>) -> TokenStream {
    match shape {
        Shape::Product(fields) => {
            let fields = fields.iter().map(|ProductField { name, ty, .. }| {
                let name = crate::option(name.as_ref().map(|name| quote!(#name)));
                let ty = type_ref(krate, ty);
                quote!(#krate::__private::FieldDef { name: #name, ty: #ty })
            });
            product(krate, name, quote!(#(#fields),*))
        }
        Shape::Transparent(ProductField { ty, .. }) => {
            quote_spanned!(blame(ty)=> <#ty as #krate::__private::Sats>::TYPE)
        }
        Shape::Sum(Sum { variants, other }) => {
            let unknown = match other {
                Some(other) => of_other(krate, other.ty, quote!(KEEPS)),
                None => quote!(#krate::__private::UnknownVariants::Refused),
            };
            let variants = variants.iter().map(|Variant { name, payload, .. }| {
                let payload = crate::option(payload.map(|ty| type_ref(krate, ty)));
                quote!(#krate::__private::VariantDef { name: #name, payload: #payload })
            });
            // In a `const` block because the list may depend on the type's parameters.
            quote! {
                #krate::__private::SatsType::Sum(#krate::__private::SumDef {
                    name: #name,
                    variants: const { &[#(#variants),*] },
                    unknown: #unknown,
                })
            }
        }
    }
}

fn product(krate: &Path, name: &str, fields: TokenStream) -> TokenStream {
    quote! {
        #krate::__private::SatsType::Product(#krate::__private::ProductDef {
            name: ::core::option::Option::Some(#name),
            fields: const { &[#fields] },
        })
    }
}

/// The type inside, resolved when asked for: a type may contain itself. Spanned to the type, as in the other impls.
pub(crate) fn type_ref(krate: &Path, ty: &Type) -> TokenStream {
    quote_spanned!(blame(ty)=> #krate::__private::TypeRef::of::<#ty>())
}
