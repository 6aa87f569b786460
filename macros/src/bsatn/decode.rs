//! The impl of `Decode`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Path, Type};

use super::generics::decoding;
use super::model::{Container, ProductField, Shape, Variant};
use crate::types::blame;

pub(super) fn implement(container: &Container<'_>, stub: bool) -> TokenStream {
    let Container { ident, krate, .. } = container;
    let Body { size, decode, skip } =
        if stub { Body::stub() } else { Body::of(krate, &container.name, &container.shape) };
    let generics = decoding(container.generics, krate);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, ty_generics, _) = container.generics.split_for_impl();
    let error = quote!(#krate::__private::DecodeError);
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Decode<'__de> for #ident #ty_generics #where_clause {
            const SIZE: ::core::option::Option<::core::primitive::usize> = #size;

            #[inline]
            fn decode(
                __reader: &mut #krate::__private::Reader<'__de>,
            ) -> ::core::result::Result<Self, #error> {
                #decode
            }

            #[inline]
            fn skip(
                __reader: &mut #krate::__private::Reader<'__de>,
            ) -> ::core::result::Result<(), #error> {
                #skip
            }
        }
    }
}

struct Body {
    size: TokenStream,
    decode: TokenStream,
    skip: TokenStream,
}

impl Body {
    fn of(krate: &Path, name: &str, shape: &Shape<'_>) -> Self {
        match shape {
            Shape::Product(fields) => Self::product(krate, name, fields),
            Shape::Transparent(field) => Self::transparent(krate, field),
            Shape::Sum(variants) => Self::sum(krate, name, variants),
        }
    }

    fn stub() -> Self {
        Self {
            size: quote!(::core::option::Option::None),
            decode: crate::unreachable(),
            skip: crate::unreachable(),
        }
    }

    fn product(krate: &Path, name: &str, fields: &[ProductField<'_>]) -> Self {
        let sizes = fields.iter().map(|field| of_type(krate, field.ty, quote!(SIZE)));
        let size = quote!(<Self as #krate::__private::Decode<'__de>>::SIZE);
        let values = fields.iter().map(|ProductField { member, ty, .. }| {
            let decode = of_type(krate, ty, quote!(decode));
            quote!(#member: #decode(__reader)?)
        });
        let skips = fields.iter().map(|field| {
            let skip = of_type(krate, field.ty, quote!(skip));
            quote!(#skip(__reader)?;)
        });
        Self {
            size: quote!(#krate::__private::size::sum(&[#(#sizes),*])),
            // Out of a window of the struct's size where that is constant: then the checks of the fields fold into that
            // of the window. Not a function that takes the fields' part as a closure: nothing says that it is inlined,
            // and elsewhere the window's size is forgotten.
            decode: quote! {
                let mut __window;
                let __reader = match #size {
                    ::core::option::Option::Some(__size) => {
                        __window = __reader.fixed(__size, #name)?;
                        &mut __window
                    }
                    ::core::option::Option::None => __reader,
                };
                ::core::result::Result::Ok(Self { #(#values),* })
            },
            skip: quote! {
                if let ::core::option::Option::Some(__size) = #size {
                    __reader.bytes(__size, #name)?;
                } else {
                    #(#skips)*
                }
                ::core::result::Result::Ok(())
            },
        }
    }

    fn transparent(krate: &Path, field: &ProductField<'_>) -> Self {
        let member = &field.member;
        let [size, decode, skip] = ["SIZE", "decode", "skip"].map(|item| {
            let item = syn::Ident::new(item, proc_macro2::Span::call_site());
            of_type(krate, field.ty, quote!(#item))
        });
        Self {
            size,
            decode: quote!(::core::result::Result::Ok(Self { #member: #decode(__reader)? })),
            skip: quote!(#skip(__reader)),
        }
    }

    fn sum(krate: &Path, name: &str, variants: &[Variant<'_>]) -> Self {
        let sizes = variants.iter().map(|variant| match variant.payload {
            None => quote!(::core::option::Option::Some(0)),
            Some(ty) => of_type(krate, ty, quote!(SIZE)),
        });
        let values = variants.iter().map(|Variant { ident, tag, payload, .. }| match payload {
            None => quote!(#tag => ::core::result::Result::Ok(Self::#ident),),
            Some(ty) => {
                let decode = of_type(krate, ty, quote!(decode));
                quote!(#tag => ::core::result::Result::Ok(Self::#ident(#decode(__reader)?)),)
            }
        });
        let skips = variants.iter().map(|Variant { tag, payload, .. }| match payload {
            None => quote!(#tag => ::core::result::Result::Ok(()),),
            Some(ty) => {
                let skip = of_type(krate, ty, quote!(skip));
                quote!(#tag => #skip(__reader),)
            }
        });
        // With all 256 tags taken there is no wrong one, and the arm would never be reached.
        let wrong = (variants.len() < 256).then(
            || quote!(__tag => ::core::result::Result::Err(__reader.invalid_tag(__tag, #name)),),
        );
        Self {
            size: quote!(#krate::__private::size::variants(&[#(#sizes),*])),
            decode: quote!(match __reader.tag(#name)? { #(#values)* #wrong }),
            skip: quote!(match __reader.tag(#name)? { #(#skips)* #wrong }),
        }
    }
}

/// `<ty as Decode>::item`, spanned to the type, so that a missing impl underlines the field and not the derive.
fn of_type(krate: &Path, ty: &Type, item: TokenStream) -> TokenStream {
    quote_spanned!(blame(ty)=> <#ty as #krate::__private::Decode<'__de>>::#item)
}
