//! Facts about a type from its tokens alone.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{GenericArgument, Lifetime, PathArguments, Type, TypeReference};

use crate::ctxt::Ctxt;

/// A span that underlines `tokens` and resolves names as the rest of the expansion does.
///
/// The tokens' own span would do the first but not the second: the expansion's local names would then be looked up
/// where the user wrote the type, and not be found.
pub(crate) fn blame(tokens: impl Spanned) -> Span {
    Span::call_site().located_at(tokens.span())
}

/// Without the parentheses and the invisible groups that `macro_rules` wraps around what it was given.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

/// Returns `true` if the type is `f32` or `f64`, which have no equality, no hash and no order.
pub(crate) fn is_float(ty: &Type) -> bool {
    match bare(ty) {
        Type::Path(ty) => {
            ty.path.segments.last().is_some_and(|last| last.ident == "f32" || last.ident == "f64")
        }
        _ => false,
    }
}

/// Whether a type may be, or end with, an enum that keeps unknown variants with their values, as far as its name says: the
/// types of the language and of SpacetimeDB are not, nor are lists and boxes. Should another type have one of these names,
/// its unknown values take what the input has left, and what stands behind does not decode.
pub(crate) fn may_be_open(ty: &Type) -> bool {
    const CLOSED: &[&str] = &[
        "bool",
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "f32",
        "f64",
        "U256",
        "I256",
        "String",
        "Vec",
        "Box",
        "Arc",
        "Cow",
        "Identity",
        "ConnectionId",
        "Timestamp",
        "TimeDuration",
        "ScheduleAt",
        "Uuid",
    ];
    match bare(ty) {
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else { return true };
            if last.ident == "Option"
                && let PathArguments::AngleBracketed(arguments) = &last.arguments
                && let Some(GenericArgument::Type(some)) = arguments.args.first()
            {
                return may_be_open(some);
            }
            !CLOSED.iter().any(|name| last.ident == name)
        }
        Type::Tuple(tuple) => tuple.elems.iter().any(may_be_open),
        Type::Array(_) | Type::Reference(_) | Type::Slice(_) => false,
        _ => true,
    }
}

/// Reports every reference and lifetime in `ty`. `owner` says what must own its data, as in "a call owns its
/// arguments".
pub(crate) fn check_owned(cx: &Ctxt, owner: &str, ty: &Type) {
    Borrows { cx, owner }.visit_type(ty);
}

struct Borrows<'a> {
    cx: &'a Ctxt,
    owner: &'a str,
}

impl<'ast> Visit<'ast> for Borrows<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        let owned = owned(&reference.elem);
        self.cx.error(reference, format!("{}; use `{owned}`", self.owner));
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        self.cx.error(lifetime, format!("{}; use a type without a lifetime", self.owner));
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
        self.cx.error(ty, format!("{}; name their types", self.owner));
    }

    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {
        // Has no encoding either, and its lifetimes are not the reason.
    }
}

/// Reports what is borrowed for `'static` in a type that is to be decoded.
pub(crate) fn check_decodable(cx: &Ctxt, ty: &Type) {
    Statics { cx }.visit_type(ty);
}

struct Statics<'a> {
    cx: &'a Ctxt,
}

impl<'ast> Visit<'ast> for Statics<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if reference.lifetime.as_ref().is_some_and(is_static) {
            let (owned, elem) = (owned(&reference.elem), text(&reference.elem));
            let message = format!(
                "what is decoded is not `'static`; use `{owned}`, or give the type a lifetime to \
                 borrow from the input for: `&'a {elem}`"
            );
            self.cx.error(reference, message);
        } else {
            visit::visit_type_reference(self, reference);
        }
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if is_static(lifetime) {
            let message = "what is decoded is not `'static`; use an owned type, or give the type \
                a lifetime to borrow from the input for";
            self.cx.error(lifetime, message);
        }
    }

    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
}

fn is_static(lifetime: &Lifetime) -> bool {
    lifetime.ident == "static"
}

/// Owned type to write for `&elem`.
fn owned(elem: &Type) -> String {
    match bare(elem) {
        Type::Path(ty) if ty.path.is_ident("str") => "String".to_owned(),
        Type::Slice(slice) => format!("Vec<{}>", text(&slice.elem)),
        elem => text(elem),
    }
}

/// The type as a user would write it.
pub(crate) fn text(tokens: impl ToTokens) -> String {
    let spaced = tokens.to_token_stream().to_string();
    let mut text = spaced.replace(" :: ", "::").replace(":: ", "::").replace(" <", "<");
    for (from, to) in [("< ", "<"), (" >", ">"), (" ,", ","), ("& ", "&")] {
        text = text.replace(from, to);
    }
    text
}

/// Returns `true` if [`check_owned`] finds something in `ty`.
pub(crate) fn borrows(ty: &Type) -> bool {
    let cx = Ctxt::default();
    check_owned(&cx, "", ty);
    cx.finish().is_err()
}

/// Success and failure types of a reducer's return type.
#[expect(clippy::large_enum_variant, reason = "made once a declaration")]
pub(crate) enum ResultOf {
    /// `Result<T, E>`.
    Both(Type, Type),
    /// An alias that hides the error type.
    Alias,
    /// Another type.
    No,
}

/// Reads the success and failure types of `ty`.
pub(crate) fn result_of(ty: &Type) -> ResultOf {
    let Type::Path(path) = bare(ty) else { return ResultOf::No };
    let Some(last) = path.path.segments.last().filter(|last| last.ident == "Result") else {
        return ResultOf::No;
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return ResultOf::Alias;
    };
    let mut types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    match (types.next(), types.next()) {
        (Some(ok), Some(error)) => ResultOf::Both(ok, error),
        _ => ResultOf::Alias,
    }
}
