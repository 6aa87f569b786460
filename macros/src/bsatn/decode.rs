//! The impl of `Decode`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Path, Type};

use super::encode::of_other;
use super::generics::decoding;
use super::model::{Container, Other, ProductField, Shape, Sum, Variant};
use crate::types::{blame, may_be_open};

pub(super) fn implement(container: &Container<'_>, stub: bool) -> TokenStream {
    let Container { ident, krate, .. } = container;
    let Body { size, open, decode, skip } =
        if stub { Body::stub() } else { Body::of(krate, &container.name, &container.shape) };
    let open = open.map(|open| quote!(const OPEN: ::core::primitive::bool = #open;));
    let generics = decoding(container.generics, krate);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, ty_generics, _) = container.generics.split_for_impl();
    let error = quote!(#krate::__private::DecodeError);
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Decode<'__de> for #ident #ty_generics #where_clause {
            const SIZE: ::core::option::Option<::core::primitive::usize> = #size;
            #open

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
    /// Whether the type is open, where it may be.
    open: Option<TokenStream>,
    decode: TokenStream,
    skip: TokenStream,
}

impl Body {
    fn of(krate: &Path, name: &str, shape: &Shape<'_>) -> Self {
        match shape {
            Shape::Product(fields) => Self::product(krate, name, fields),
            Shape::Transparent(field) => Self::transparent(krate, field),
            Shape::Sum(sum) => Self::sum(krate, name, sum),
        }
    }

    fn stub() -> Self {
        Self {
            size: quote!(::core::option::Option::None),
            open: None,
            decode: crate::unreachable(),
            skip: crate::unreachable(),
        }
    }

    fn product(krate: &Path, name: &str, fields: &[ProductField<'_>]) -> Self {
        let sizes: Vec<_> =
            fields.iter().map(|field| of_type(krate, field.ty, quote!(SIZE))).collect();
        let size = quote!(<Self as #krate::__private::Decode<'__de>>::SIZE);
        let values = fields.iter().enumerate().map(|(at, ProductField { member, ty, .. })| {
            let value = read_field(krate, ty, at, "decode", "field");
            quote!(#member: #value?)
        });
        let skips = fields.iter().enumerate().map(|(at, ProductField { ty, .. })| {
            let skip = read_field(krate, ty, at, "skip", "skip_field");
            quote!(#skip?;)
        });
        let any_open = open_of_product(krate, name, fields, &sizes);
        let sizes_of_fields =
            any_open.as_ref().map(|_| quote!(let __sizes = const { &[#(#sizes),*] };));
        Self {
            size: quote!(#krate::__private::size::sum(&[#(#sizes),*])),
            open: any_open,
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
                #sizes_of_fields
                ::core::result::Result::Ok(Self { #(#values),* })
            },
            skip: quote! {
                if let ::core::option::Option::Some(__size) = #size {
                    __reader.bytes(__size, #name)?;
                } else {
                    #sizes_of_fields
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
        let open = may_be_open(field.ty).then(|| of_type(krate, field.ty, quote!(OPEN)));
        Self {
            size,
            open,
            decode: quote!(::core::result::Result::Ok(Self { #member: #decode(__reader)? })),
            skip: quote!(#skip(__reader)),
        }
    }

    fn sum(krate: &Path, name: &str, sum: &Sum<'_>) -> Self {
        let Sum { variants, other } = sum;
        let sizes = variants.iter().map(|variant| match variant.payload {
            None => quote!(::core::option::Option::Some(0)),
            Some(ty) => of_type(krate, ty, quote!(SIZE)),
        });
        let other_size = other.iter().map(|other| of_other(krate, other.ty, quote!(SIZE)));
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
        let (other_value, other_skip) = Self::unknown(krate, name, sum);
        Self {
            size: quote!(#krate::__private::size::variants(&[#(#sizes,)* #(#other_size),*])),
            open: open_of_sum(krate, sum),
            decode: quote!(match __reader.tag(#name)? { #(#values)* #other_value }),
            skip: quote!(match __reader.tag(#name)? { #(#skips)* #other_skip }),
        }
    }

    /// The arms for the tags that no variant has. With all 256 taken there are none, and an arm would never be reached.
    fn unknown(krate: &Path, name: &str, sum: &Sum<'_>) -> (TokenStream, TokenStream) {
        match &sum.other {
            Some(Other { ident, ty }) => {
                let [decode, skip] =
                    [quote!(decode), quote!(skip)].map(|item| of_other(krate, ty, item));
                (
                    quote!(__tag => ::core::result::Result::Ok(Self::#ident(#decode(__tag, __reader)?)),),
                    quote!(_ => #skip(__reader),),
                )
            }
            None if sum.variants.len() < 256 => {
                let wrong = quote! {
                    __tag => ::core::result::Result::Err(__reader.unknown_variant(__tag, #name)),
                };
                (wrong.clone(), wrong)
            }
            None => (TokenStream::new(), TokenStream::new()),
        }
    }
}

/// Whether a sum is open: it keeps unknown values, or one of its own may be open. Nothing where that cannot be.
fn open_of_sum(krate: &Path, sum: &Sum<'_>) -> Option<TokenStream> {
    let payloads = sum.variants.iter().filter_map(|variant| variant.payload);
    let payloads = payloads.filter(|ty| may_be_open(ty)).map(|ty| of_type(krate, ty, quote!(OPEN)));
    let other = sum.other.iter().map(|other| {
        let keeps = of_other(krate, other.ty, quote!(KEEPS));
        quote!(::core::matches!(#keeps, #krate::__private::UnknownVariants::Value))
    });
    let open: Vec<_> = payloads.chain(other).collect();
    (!open.is_empty()).then(|| quote!(#krate::__private::size::any(&[#(#open),*])))
}

/// Decodes or skips a field: by what stands behind it, where it may be open.
fn read_field(krate: &Path, ty: &Type, at: usize, closed: &str, open: &str) -> TokenStream {
    if may_be_open(ty) {
        let read = syn::Ident::new(open, proc_macro2::Span::call_site());
        let read = quote_spanned!(blame(ty)=> #krate::__private::unknown::#read::<#ty>);
        quote!(#read(__reader, __sizes, #at))
    } else {
        let item = syn::Ident::new(closed, proc_macro2::Span::call_site());
        let read = of_type(krate, ty, quote!(#item));
        quote!(#read(__reader))
    }
}

/// Whether a product is open; at compile time an error, if something behind an open field has no constant size. Nothing
/// where no field may be open.
fn open_of_product(
    krate: &Path,
    name: &str,
    fields: &[ProductField<'_>],
    sizes: &[TokenStream],
) -> Option<TokenStream> {
    if !fields.iter().any(|field| may_be_open(field.ty)) {
        return None;
    }
    let open = fields.iter().map(|field| match may_be_open(field.ty) {
        true => of_type(krate, field.ty, quote!(OPEN)),
        false => quote!(false),
    });
    let open = quote!(&[#(#open),*]);
    let message = format!(
        "in `{name}`, something whose size is not constant stands behind an enum that keeps unknown variants with their \
         values (`UnknownVariant`), so that nothing says where such a value ends; move the enum to the end, or keep the \
         tags alone: `Other(u8)`"
    );
    Some(quote! {
        {
            ::core::assert!(#krate::__private::size::ends(#open, &[#(#sizes),*]), #message);
            #krate::__private::size::any(#open)
        }
    })
}

/// Has the compiler look at once whether a type without parameters may be open, as [`open_of_product`] does.
pub(super) fn check(container: &Container<'_>) -> Option<TokenStream> {
    let Container { ident, krate, .. } = container;
    let Shape::Product(fields) = &container.shape else { return None };
    let may_be_open = fields.iter().any(|field| may_be_open(field.ty));
    (container.generics.params.is_empty() && may_be_open).then(|| {
        quote! {
            const _: ::core::primitive::bool = <#ident as #krate::__private::Decode<'static>>::OPEN;
        }
    })
}

/// `<ty as Decode>::item`, spanned to the type, so that a missing impl underlines the field and not the derive.
fn of_type(krate: &Path, ty: &Type, item: TokenStream) -> TokenStream {
    quote_spanned!(blame(ty)=> <#ty as #krate::__private::Decode<'__de>>::#item)
}
