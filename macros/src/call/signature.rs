//! The attribute on a signature: `fn set_name(name: String) -> Result<(), String>;`.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Block, DeriveInput, FnArg, Ident, Pat, ReturnType, Signature, Token, Type,
    Visibility, parse_quote,
};

use super::Function;
use super::attrs::CallAttrs;
use super::model::{Call, Param};
use crate::case;
use crate::ctxt::Ctxt;
use crate::types::{ResultOf, bare, borrows, check_owned, result_of};

/// A function, with or without a body.
pub(super) struct SignatureItem {
    attrs: Vec<Attribute>,
    vis: Visibility,
    sig: Signature,
    body: Option<Block>,
}

impl Parse for SignatureItem {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        let body = if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            None
        } else {
            Some(input.parse()?)
        };
        Ok(Self { attrs, vis, sig, body })
    }
}

/// An argument with a plain name.
struct Argument<'a> {
    docs: Vec<&'a Attribute>,
    ident: &'a Ident,
    ty: &'a Type,
}

pub(super) fn read(
    cx: &Ctxt,
    function: Function,
    attrs: CallAttrs,
    item: SignatureItem,
) -> Option<Call> {
    check_signature(cx, function, &item);
    let arguments: Vec<_> =
        item.sig.inputs.iter().filter_map(|input| argument(cx, function, input)).collect();
    for (given, _) in [attrs.returns.get(), attrs.error.get()].into_iter().flatten() {
        cx.error_at(*given, "the signature says what it returns; remove this");
    }
    let (returns, error) = returns(cx, function, &item.sig.output);
    let name = match attrs.name.take() {
        Some(name) => name.value(),
        None => crate::server_name(cx, &item.sig.ident, case::snake),
    };
    let type_name = type_name(cx, function, &item.sig.ident, &name)?;
    let params = arguments.iter().map(|argument| Param {
        name: Some(crate::name_of(argument.ident)),
        ty: argument.ty.clone(),
    });
    Some(Call {
        function,
        krate: crate::facade(attrs.krate.take()),
        params: params.collect(),
        arguments: structure(function, &item, &type_name, &arguments, &name),
        constructor: constructor(function, &item, &type_name, &arguments, &name),
        name,
        returns,
        error,
        idempotent: attrs.idempotent.get().is_some(),
        schema: attrs.schema.take(),
    })
}

fn check_signature(cx: &Ctxt, function: Function, item: &SignatureItem) {
    let SignatureItem { sig, body, .. } = item;
    if let Some(body) = body {
        cx.error(body, "the module has the body; end the signature with `;`");
    }
    let made = "the function makes a call, which a client then sends";
    if let Some(word) = &sig.asyncness {
        cx.error(word, format!("{made}; remove `async`, and await the sending"));
    }
    if let Some(word) = &sig.constness {
        cx.error(word, format!("{made}; remove `const`"));
    }
    if let syn::Safety::Unsafe(word) = &sig.safety {
        cx.error(word, format!("{made}; remove `unsafe`"));
    }
    if let Some(abi) = &sig.abi {
        cx.error(abi, format!("{made}; remove `extern`"));
    }
    if let Some(dots) = &sig.variadic {
        cx.error(dots, format!("a {} has fixed parameters; remove this", function.word()));
    }
    if !sig.generics.params.is_empty() {
        cx.error(
            &sig.generics,
            "a call owns its arguments and has fixed types; remove the generics",
        );
    }
    if let Some(clause) = &sig.generics.where_clause {
        cx.error(clause, "a call has fixed types; remove the `where` clause");
    }
}

fn argument<'a>(cx: &Ctxt, function: Function, input: &'a FnArg) -> Option<Argument<'a>> {
    let input = match input {
        FnArg::Typed(input) => input,
        FnArg::Receiver(receiver) => {
            cx.error(receiver, "a call is no method; remove `self`");
            return None;
        }
    };
    if is_context(&input.ty) {
        let message = "a call sends only the parameters after the context; remove this one";
        cx.error(input, message);
        return None;
    }
    check_owned(cx, "a call owns its arguments", &input.ty);
    let docs = input.attrs.iter().filter(|attr| {
        let is_doc = attr.path().is_ident("doc");
        if !is_doc {
            cx.error(attr, "a parameter takes documentation only; remove this");
        }
        is_doc
    });
    let docs = docs.collect();
    match &*input.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
            if let Some(word) = &pat.mutability {
                cx.error(word, "there is no body that could change it; remove `mut`");
            }
            Some(Argument { docs, ident: &pat.ident, ty: &input.ty })
        }
        pat => {
            let word = function.word();
            cx.error(pat, format!("name the parameter as the {word} does: `name: Type`"));
            None
        }
    }
}

/// Returns `true` if this is what a module's function takes first: `&ReducerContext` and the like.
fn is_context(ty: &Type) -> bool {
    let Type::Reference(reference) = bare(ty) else { return false };
    let Type::Path(path) = bare(&reference.elem) else { return false };
    let last = path.path.segments.last();
    last.is_some_and(|last| last.ident.to_string().ends_with("Context"))
}

fn returns(cx: &Ctxt, function: Function, output: &ReturnType) -> (Option<Type>, Option<Type>) {
    let ReturnType::Type(_, ty) = output else { return (None, None) };
    check_owned(cx, "a call owns what it returns", ty);
    match (function, result_of(ty)) {
        (Function::Procedure, _) | (Function::Reducer, ResultOf::No) => {
            (Some(Type::clone(ty)), None)
        }
        (Function::Reducer, ResultOf::Both(ok, error)) => (Some(ok), Some(error)),
        (Function::Reducer, ResultOf::Alias) => {
            cx.error(ty, "say what the reducer rejects a call with: `Result<T, E>`");
            (None, None)
        }
    }
}

fn type_name(cx: &Ctxt, function: Function, ident: &Ident, name: &str) -> Option<Ident> {
    let type_name = case::pascal(&crate::name_of(ident));
    if type_name.is_empty() {
        // It has no name on the wire either, and that was reported.
        return None;
    }
    if syn::parse_str::<Ident>(&type_name).is_err() {
        let word = function.word();
        let message = format!(
            "its type would be called `{type_name}`, which no type can be; declare a struct of \
             the arguments instead: `#[{word}(name = \"{name}\")]`"
        );
        cx.error(ident, message);
        return None;
    }
    Some(format_ident!("{type_name}", span = ident.span()))
}

/// The struct of the arguments, as visible as the function, with the function's documentation and derives.
fn structure(
    function: Function,
    item: &SignatureItem,
    ident: &Ident,
    arguments: &[Argument<'_>],
    name: &str,
) -> DeriveInput {
    let SignatureItem { attrs, vis, .. } = item;
    let docs = default_docs(attrs, || {
        format!(" The arguments of a call of the {} `{name}`.", function.word())
    });
    let fields = arguments.iter().map(|Argument { docs, ident, ty }| {
        let own = quote!(#(#docs)*);
        let default = docs.is_empty().then(|| {
            let doc = format!(" The parameter `{}`.", crate::name_of(ident));
            quote!(#[doc = #doc])
        });
        // Its type is what is wrong, and an error says so already.
        let ty = if borrows(ty) { quote!(()) } else { ty.to_token_stream() };
        quote!(#own #default #vis #ident: #ty)
    });
    let body = if arguments.is_empty() { quote!(;) } else { quote!({ #(#fields),* }) };
    parse_quote! {
        #(#attrs)*
        #docs
        // A declaration is not dead for being unused, and what the function's visibility is worth is said there.
        #[allow(dead_code, unreachable_pub)]
        #[must_use = "a call does nothing until a client sends it"]
        #vis struct #ident #body
    }
}

fn constructor(
    function: Function,
    item: &SignatureItem,
    type_name: &Ident,
    arguments: &[Argument<'_>],
    name: &str,
) -> TokenStream {
    let SignatureItem { attrs, vis, sig, .. } = item;
    // The type has the derives and whatever else there is.
    let on_both = ["doc", "cfg", "allow", "warn", "deny", "forbid", "deprecated"];
    let attrs: Vec<_> =
        attrs.iter().filter(|attr| on_both.iter().any(|both| attr.path().is_ident(both))).collect();
    let docs = default_docs(attrs.iter().copied(), || {
        format!(" Makes a call of the {} `{name}`.", function.word())
    });
    let ident = &sig.ident;
    let inputs = arguments.iter().map(|Argument { ident, ty, .. }| quote!(#ident: #ty));
    let fields = arguments.iter().map(|Argument { ident, .. }| ident);
    let body = if arguments.iter().any(|argument| borrows(argument.ty)) {
        let unreachable = crate::unreachable();
        quote! {
            #(let _ = #fields;)*
            #unreachable
        }
    } else {
        quote!(#type_name { #(#fields),* })
    };
    quote! {
        #(#attrs)*
        #docs
        #[allow(dead_code, clippy::too_many_arguments)]
        #vis fn #ident(#(#inputs),*) -> #type_name {
            #body
        }
    }
}

/// A line of documentation where the user wrote none.
fn default_docs<'a>(
    attrs: impl IntoIterator<Item = &'a Attribute>,
    text: impl FnOnce() -> String,
) -> Option<TokenStream> {
    let documented = attrs.into_iter().any(|attr| attr.path().is_ident("doc"));
    (!documented).then(|| {
        let text = text();
        quote!(#[doc = #text])
    })
}
