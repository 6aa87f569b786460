//! The expansion: the struct of arguments, its encoding, and `Reducer` or `Procedure`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Data, DeriveInput, Fields, Path, Token, punctuated::Punctuated};

use super::Function;
use super::model::{Call, Param};
use crate::bsatn::{self, ContainerAttrs, type_ref};
use crate::ctxt::quietly;

pub(super) fn implement(call: &Call, stub: bool) -> TokenStream {
    let constructor = &call.constructor;
    let cfgs = call.arguments.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    let item = if stub { stub_item(&call.arguments) } else { derived_item(call) };
    let implementation = crate::scoped(implementation(call, stub));
    quote! {
        #item
        #constructor
        #(#cfgs)*
        #implementation
    }
}

/// The struct with `#[derive(Bsatn)]`, unless it stands there already.
fn derived_item(call: &Call) -> TokenStream {
    let Call { krate, arguments, .. } = call;
    let derive =
        (!derives_bsatn(&arguments.attrs)).then(|| quote!(#[derive(#krate::__private::Bsatn)]));
    let named = quietly(|cx| ContainerAttrs::parse(cx, &arguments.attrs)).krate.get().is_some();
    let krate = (!named).then(|| quote!(#[bsatn(crate = #krate)]));
    // Behind the user's own derives: a helper attribute stands below the derive that it belongs to.
    let mut arguments = arguments.clone();
    let attrs = std::mem::take(&mut arguments.attrs);
    quote!(#derive #(#attrs)* #krate #arguments)
}

fn derives_bsatn(attrs: &[Attribute]) -> bool {
    let derives = attrs.iter().filter(|attr| attr.path().is_ident("derive"));
    let paths = derives.filter_map(|attr| {
        attr.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated).ok()
    });
    paths.flatten().any(|path| path.segments.last().is_some_and(|last| last.ident == "Bsatn"))
}

/// The struct beside an error: its encoding exists, and does nothing.
fn stub_item(arguments: &DeriveInput) -> TokenStream {
    if derives_bsatn(&arguments.attrs) {
        return arguments.to_token_stream();
    }
    let stub = bsatn::stub(arguments);
    let mut arguments = arguments.clone();
    let helper = |attr: &Attribute| !attr.path().is_ident("bsatn");
    arguments.attrs.retain(helper);
    if let Data::Struct(data) = &mut arguments.data {
        match &mut data.fields {
            Fields::Named(fields) => fields.named.iter_mut().for_each(|f| f.attrs.retain(helper)),
            Fields::Unnamed(fields) => {
                fields.unnamed.iter_mut().for_each(|f| f.attrs.retain(helper));
            }
            Fields::Unit => (),
        }
    }
    quote!(#arguments #stub)
}

fn implementation(call: &Call, stub: bool) -> TokenStream {
    let Call { function, krate, name, idempotent, .. } = call;
    let ident = &call.arguments.ident;
    let params = call.params.iter().filter(|_| !stub).map(|Param { name, ty }| {
        let name = crate::option(name.as_ref().map(|name| quote!(#name)));
        let ty = type_ref(krate, ty);
        quote!(#krate::__private::FieldDef { name: #name, ty: #ty })
    });
    let default_ok: syn::Type = syn::parse_quote!(());
    let default_error: syn::Type = syn::parse_quote!(#krate::__private::String);
    let returns = call.returns.as_ref().filter(|_| !stub).unwrap_or(&default_ok);
    let error = call.error.as_ref().filter(|_| !stub).unwrap_or(&default_error);
    let (error_def, bound, types) = match function {
        Function::Reducer => (
            crate::option(Some(type_ref(krate, error))),
            quote!(Reducer),
            quote! {
                type Ok = #returns;
                type Error = #error;
            },
        ),
        Function::Procedure => {
            (crate::option(None), quote!(Procedure), quote!(type Output = #returns;))
        }
    };
    let returns = type_ref(krate, returns);
    quote! {
        #[automatically_derived]
        impl #krate::__private::#bound for #ident {
            const DEF: #krate::__private::FunctionDef = #krate::__private::FunctionDef {
                name: #name,
                params: &[#(#params),*],
                returns: #returns,
                error: #error_def,
                idempotent: #idempotent,
            };
            #types
        }
    }
}
