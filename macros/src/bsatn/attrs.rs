//! `#[bsatn(..)]`, and the name that a field has on the wire.

use proc_macro2::Span;
use syn::{Attribute, Ident, LitStr, Path};

use crate::attr::{self, Once};
use crate::case;
use crate::ctxt::Ctxt;

/// Contents of `#[bsatn(..)]` on a struct or an enum.
#[derive(Default)]
pub(crate) struct ContainerAttrs {
    pub(crate) krate: Once<Path>,
    pub(crate) transparent: Once<Span>,
}

impl ContainerAttrs {
    pub(crate) fn parse(cx: &Ctxt, attrs: &[Attribute]) -> Self {
        let mut parsed = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("bsatn")) {
            for entry in attr::entries(cx, attr) {
                let key = &entry.key;
                match entry.name().as_str() {
                    "crate" => {
                        let path = entry.value_with(cx, "::path", Path::parse_mod_style);
                        parsed.krate.set(cx, key, "crate", path);
                    }
                    "transparent" => {
                        let span = entry.flag(cx).map(|()| key.span());
                        parsed.transparent.set(cx, key, "transparent", span);
                    }
                    _ => entry.unknown(cx, "bsatn", &["transparent", "crate"]),
                }
            }
        }
        parsed
    }
}

/// The name of a field or variant, if `#[bsatn(name = "..")]` or, on a column, `#[column(name = "..")]` gives one.
pub(super) fn wire_name(cx: &Ctxt, attrs: &[Attribute], attribute: &str) -> Option<LitStr> {
    let mut name = Once::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident(attribute)) {
        for entry in attr::entries(cx, attr) {
            match entry.name().as_str() {
                "name" => name.set(cx, &entry.key, "name", entry.wire_name(cx)),
                _ => entry.unknown(cx, attribute, &["name"]),
            }
        }
    }
    name.take()
}

/// What `#[bsatn(..)]` on a variant says.
#[derive(Default)]
pub(super) struct VariantAttrs {
    pub(super) name: Once<LitStr>,
    pub(super) other: Once<Span>,
}

impl VariantAttrs {
    pub(super) fn parse(cx: &Ctxt, attrs: &[Attribute]) -> Self {
        let mut parsed = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("bsatn")) {
            for entry in attr::entries(cx, attr) {
                let key = &entry.key;
                match entry.name().as_str() {
                    "name" => parsed.name.set(cx, key, "name", entry.wire_name(cx)),
                    "other" => {
                        let span = entry.flag(cx).map(|()| key.span());
                        parsed.other.set(cx, key, "other", span);
                    }
                    _ => entry.unknown(cx, "bsatn", &["name", "other"]),
                }
            }
        }
        parsed
    }
}

/// The name that `#[bsatn(name = "..")]` gives.
pub(crate) fn explicit_name(cx: &Ctxt, attrs: &[Attribute]) -> Option<String> {
    wire_name(cx, attrs, "bsatn").map(|name| name.value())
}

/// The name of a field on the wire: the explicit one, or what the server makes of the Rust one.
///
/// A field of a row may be named by either attribute. `reported` is the one that the calling macro answers for.
pub(crate) fn field_name(cx: &Ctxt, attrs: &[Attribute], ident: &Ident, reported: &str) -> String {
    let quiet = Ctxt::default();
    let ours = |attribute| if attribute == reported { cx } else { &quiet };
    let column = wire_name(ours("column"), attrs, "column");
    let bsatn = wire_name(ours("bsatn"), attrs, "bsatn");
    if let (Some(name), Some(_)) = (&column, &bsatn)
        && reported == "column"
    {
        cx.error(name, "`#[bsatn(name = ..)]` names this column too; keep one");
    }
    match column.or(bsatn) {
        Some(name) => name.value(),
        None => crate::server_name(cx, ident, case::snake),
    }
}
