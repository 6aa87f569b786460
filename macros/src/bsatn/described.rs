//! The impl of `Described`: what a schema is compared with while the program is compiled. Feature `schema`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;

use super::encode::of_other;
use super::generics::bounded;
use super::model::{Container, ProductField, Shape, Sum};
use crate::types::blame;

pub(super) fn implement(container: &Container<'_>, stub: bool) -> TokenStream {
    let Container { ident, krate, name, .. } = container;
    let fixed = quote!(#krate::__private::fixed);
    let generics = bounded(container.generics, &quote!(#fixed::Described));
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, ty_generics, _) = container.generics.split_for_impl();
    let list = |types: Vec<Option<&Type>>| {
        let ty = |ty: &Option<&Type>| match ty {
            Some(ty) => quote_spanned!(blame(ty)=> #ty),
            None => quote!(()),
        };
        let (eights, rest) = types.as_chunks::<8>();
        let rest = rest.iter().map(ty).rev().fold(quote!(()), |rest, ty| quote!((#ty, #rest)));
        eights.iter().rev().fold(rest, |rest, eight| {
            let eight = eight.iter().map(ty);
            quote!((#(#eight,)* #rest))
        })
    };
    let (names, shape) = match &container.shape {
        _ if stub => (Vec::new(), quote!(#fixed::Tuple<()>)),
        Shape::Transparent(ProductField { ty, .. }) => {
            (Vec::new(), quote_spanned!(blame(ty)=> <#ty as #fixed::Described>::As))
        }
        Shape::Product(fields) => {
            let types = list(fields.iter().map(|field| Some(field.ty)).collect());
            let names: Option<Vec<_>> = fields.iter().map(|field| field.name.clone()).collect();
            (names.unwrap_or_default(), quote!(#fixed::Fields<#ident #ty_generics, #types>))
        }
        Shape::Sum(Sum { variants, .. }) => {
            let types = list(variants.iter().map(|variant| variant.payload).collect());
            let names = variants.iter().map(|variant| variant.name.clone()).collect();
            (names, quote!(#fixed::Variants<#ident #ty_generics, #types>))
        }
    };
    let unknown = match &container.shape {
        Shape::Sum(Sum { other: Some(other), .. }) if !stub => {
            let keeps = of_other(krate, other.ty, quote!(KEEPS));
            Some(quote!(const UNKNOWN: #fixed::UnknownVariants = #keeps;))
        }
        _ => None,
    };
    let mut late = generics.clone();
    let late_clause = late.make_where_clause();
    late_clause.predicates.push(syn::parse_quote! {
        for<'__late> #fixed::Late<'__late, #shape>: #fixed::Shape
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #fixed::Named for #ident #ty_generics #where_clause {
            const NAME: &'static ::core::primitive::str = #name;
            const NAMES: &'static [&'static ::core::primitive::str] = &[#(#names),*];
            #unknown
        }
        #[automatically_derived]
        impl #impl_generics #fixed::Described for #ident #ty_generics #where_clause {
            type As = __Described<Self>;
        }
        // The types of fields may be less public than the struct, so they are only named inside.
        #[doc(hidden)]
        #[allow(dead_code)]
        pub struct __Described<__T: ?::core::marker::Sized>(::core::marker::PhantomData<__T>);
        #[automatically_derived]
        impl #impl_generics #fixed::Shape for __Described<#ident #ty_generics> #late_clause {
            const TYPE: &'static #fixed::StaticType =
                <#fixed::Late<'static, #shape> as #fixed::Shape>::TYPE;
        }
    }
}
