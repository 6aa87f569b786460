//! A reducer or a procedure beside the schema's.

use lightlike_core::schema::{ServerField, ServerSchema, ServerType};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Type, parse_quote};

use super::file::{self, File};
use super::{SavedSchema, types};
use crate::call::{Call, Function, Param};
use crate::case;
use crate::ctxt::Ctxt;
use crate::types::text;

/// Reports in what a function differs from the schema; what only the compiler can compare is left to it.
pub(crate) fn check_call(cx: &Ctxt, saved: &SavedSchema, call: &Call) -> TokenStream {
    let Some(File { schema, tracked }) = file::read(cx, saved) else { return TokenStream::new() };
    let checks = match call.function {
        Function::Reducer => check_reducer(cx, &schema, call),
        Function::Procedure => check_procedure(cx, &schema, call),
    };
    quote!(#tracked #checks)
}

fn check_reducer(cx: &Ctxt, schema: &ServerSchema, call: &Call) -> TokenStream {
    let Call { name, arguments, .. } = call;
    let Some(theirs) = schema.reducer(name) else {
        let what = if schema.procedure(name).is_some() {
            "server has a procedure, struct has a reducer"
        } else {
            "server has no such reducer"
        };
        cx.error(&arguments.ident, format!("reducer {name}: {what}"));
        return TokenStream::new();
    };
    let found = Found { cx, schema, call, item: format!("reducer {name}") };
    found.callable(theirs.callable);
    let params = found.params(&theirs.params);
    let krate = &call.krate;
    let ok = found.returns("return type", theirs.returns.as_ref(), &call.returns, parse_quote!(()));
    let string = parse_quote!(#krate::__private::String);
    let error = found.returns("error type", theirs.error.as_ref(), &call.error, string);
    quote!(#params #ok #error)
}

fn check_procedure(cx: &Ctxt, schema: &ServerSchema, call: &Call) -> TokenStream {
    let Call { name, arguments, .. } = call;
    let Some(theirs) = schema.procedure(name) else {
        let what = if schema.reducer(name).is_some() {
            "server has a reducer, struct has a procedure"
        } else {
            "server has no such procedure"
        };
        cx.error(&arguments.ident, format!("procedure {name}: {what}"));
        return TokenStream::new();
    };
    let found = Found { cx, schema, call, item: format!("procedure {name}") };
    found.callable(theirs.callable);
    let params = found.params(&theirs.params);
    let returns =
        found.returns("return type", Some(&theirs.returns), &call.returns, parse_quote!(()));
    quote!(#params #returns)
}

/// Findings about one function.
struct Found<'f> {
    cx: &'f Ctxt,
    schema: &'f ServerSchema,
    call: &'f Call,
    /// `reducer send`
    item: String,
}

impl Found<'_> {
    fn callable(&self, callable: bool) {
        if !callable {
            let message = format!("{}: clients cannot call it", self.item);
            self.cx.error(&self.call.arguments.ident, message);
        }
    }

    fn params(&self, theirs: &[ServerField]) -> TokenStream {
        let ours = &self.call.params;
        (0..theirs.len().max(ours.len()))
            .map(|at| self.param(at, theirs.get(at), ours.get(at)))
            .collect()
    }

    fn param(&self, at: usize, theirs: Option<&ServerField>, ours: Option<&Param>) -> TokenStream {
        let Self { cx, schema, call, item } = self;
        let shown = |name: Option<&str>, ty: String| match name {
            Some(name) => format!("{name}: {ty}"),
            None => ty,
        };
        let their_text = theirs.map_or_else(
            || "no argument".to_owned(),
            |theirs| shown(theirs.name.as_deref(), schema.display(&theirs.ty).to_string()),
        );
        let head = format!("{item}, argument {}: server has {their_text}", at + 1);
        let Some(ours) = ours else {
            cx.error(&call.arguments.ident, format!("{head}, struct has no argument"));
            return TokenStream::new();
        };
        let message = format!("{head}, struct has {}", shown(ours.name.as_deref(), text(&ours.ty)));
        let same_name = |theirs: &ServerField| match (&theirs.name, &ours.name) {
            (Some(theirs), Some(ours)) => letters(theirs) == letters(ours),
            _ => true,
        };
        match theirs {
            Some(theirs) if same_name(theirs) => {
                types::check(&call.krate, schema, &theirs.ty, &ours.ty, &message)
            }
            _ => {
                cx.error(&ours.ty, message);
                TokenStream::new()
            }
        }
    }

    fn returns(
        &self,
        what: &str,
        theirs: Option<&ServerType>,
        ours: &Option<Type>,
        default: Type,
    ) -> TokenStream {
        let Self { schema, call, item, .. } = self;
        let Some(theirs) = theirs else { return TokenStream::new() };
        let shown = ours.as_ref().map_or_else(
            || text(&default).replace(&text(&call.krate), "").replace("::__private::", ""),
            text,
        );
        let message =
            format!("{item}, {what}: server has {}, struct has {shown}", schema.display(theirs));
        match ours {
            Some(ours) => types::check(&call.krate, schema, theirs, ours, &message),
            None => {
                let at = call.arguments.ident.span();
                types::check_at(&call.krate, schema, theirs, &quote!(#default), at, &message)
            }
        }
    }
}

/// Names differ at most in how words are told apart, which the server changes.
fn letters(name: &str) -> String {
    case::snake(name).replace('_', "")
}
