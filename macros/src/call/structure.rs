//! The attribute on a struct of arguments.

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Field, Fields};

use super::Function;
use super::attrs::CallAttrs;
use super::model::{Call, Param};
use crate::bsatn::{ContainerAttrs, explicit_name};
use crate::case;
use crate::ctxt::{Ctxt, quietly};
use crate::types::check_owned;

pub(super) fn read(
    cx: &Ctxt,
    function: Function,
    attrs: CallAttrs,
    arguments: DeriveInput,
) -> Option<Call> {
    let word = function.word();
    let fields = match &arguments.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            let message =
                format!("a call is a product of its arguments; put `#[{word}]` on a struct");
            cx.error(data.enum_token, message);
            return None;
        }
        Data::Union(data) => {
            let message =
                format!("a call is a product of its arguments; put `#[{word}]` on a struct");
            cx.error(data.union_token, message);
            return None;
        }
    };
    let generics = &arguments.generics.params;
    if !generics.is_empty() {
        cx.error(generics, "a call owns its arguments and has fixed types; remove the generics");
        return None;
    }
    let bsatn = quietly(|cx| ContainerAttrs::parse(cx, &arguments.attrs));
    if let Some(&at) = bsatn.transparent.get() {
        cx.error_at(at, "a call is a product of its arguments; remove `transparent`");
    }
    let params = params(cx, fields);
    let name = match attrs.name.take() {
        Some(name) => name.value(),
        None => crate::server_name(cx, &arguments.ident, case::snake),
    };
    Some(Call {
        function,
        krate: crate::facade(attrs.krate.take().or_else(|| bsatn.krate.take())),
        name,
        params,
        arguments,
        returns: attrs.returns.take().map(|(_, ty)| ty),
        error: attrs.error.take().map(|(_, ty)| ty),
        idempotent: attrs.idempotent.get().is_some(),
        schema: attrs.schema.take(),
        constructor: TokenStream::new(),
    })
}

fn params(cx: &Ctxt, fields: &Fields) -> Vec<Param> {
    fields.iter().map(|field| param(cx, field)).collect()
}

fn param(cx: &Ctxt, field: &Field) -> Param {
    check_owned(cx, "a call owns its arguments", &field.ty);
    for attr in &field.attrs {
        // An attribute macro sees its input before `cfg` does, so the field would be a parameter all the same.
        if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
            cx.error(attr, "every call has the same arguments; put this on the whole struct");
        }
    }
    let explicit = quietly(|cx| explicit_name(cx, &field.attrs));
    let name = explicit.or_else(|| field.ident.as_ref().map(crate::name_of));
    Param { name, ty: field.ty.clone() }
}
