//! `schema = "schema.json"`: a declaration beside a module's saved schema, so that a difference is a mistake that the
//! compiler reports, at the field.
//!
//! What can be told from the tokens (a missing column, an order, a key) is an error of the macro. Types are compared by
//! constants in the expansion, because only the compiler knows what a type's name stands for.
//!
//! Feature `schema`: without it nothing here reads a file, and the attribute says what to do.

#[cfg(feature = "schema")]
mod call;
#[cfg(feature = "schema")]
mod file;
#[cfg(feature = "schema")]
mod table;
#[cfg(feature = "schema")]
mod types;

use proc_macro2::Span;
#[cfg(not(feature = "schema"))]
use proc_macro2::TokenStream;
use syn::LitStr;

#[cfg(feature = "schema")]
pub(crate) use self::{call::check_call, table::check_table};
use crate::attr::Entry;
use crate::ctxt::Ctxt;

/// Path of a schema, and the span that names it.
pub(crate) struct SavedSchema {
    pub(crate) at: Span,
    #[cfg_attr(not(feature = "schema"), expect(dead_code, reason = "nothing is read"))]
    pub(crate) path: String,
}

impl SavedSchema {
    /// `schema`, which is `schema.json` beside `Cargo.toml`, or `schema = "path"`.
    pub(crate) fn parse(cx: &Ctxt, entry: &Entry) -> Option<Self> {
        if entry.is_flag() {
            return Some(Self { at: entry.key.span(), path: "schema.json".to_owned() });
        }
        let path: LitStr = entry.value(cx, "\"schema.json\"")?;
        Some(Self { at: path.span(), path: path.value() })
    }
}

#[cfg(not(feature = "schema"))]
pub(crate) fn check_table(
    cx: &Ctxt,
    saved: &SavedSchema,
    _: &crate::table::TableInput<'_>,
) -> TokenStream {
    without_the_feature(cx, saved)
}

#[cfg(not(feature = "schema"))]
pub(crate) fn check_call(cx: &Ctxt, saved: &SavedSchema, _: &crate::call::Call) -> TokenStream {
    without_the_feature(cx, saved)
}

#[cfg(not(feature = "schema"))]
fn without_the_feature(cx: &Ctxt, saved: &SavedSchema) -> TokenStream {
    cx.error_at(saved.at, "to compare with a schema, turn on the feature `schema` of `lightlike`");
    TokenStream::new()
}
