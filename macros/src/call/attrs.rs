//! Contents of `#[reducer(..)]` and `#[procedure(..)]`.

use proc_macro2::{Span, TokenStream};
use syn::{LitStr, Path, Type};

use super::Function;
use crate::attr::{self, Once};
use crate::ctxt::Ctxt;
use crate::schema::SavedSchema;
use crate::types::check_owned;

const REDUCER: &[&str] = &["name", "ok", "error", "idempotent", "schema", "crate"];
const PROCEDURE: &[&str] = &["name", "returns", "idempotent", "schema", "crate"];

/// Contents of the attribute.
#[derive(Default)]
pub(super) struct CallAttrs {
    pub(super) name: Once<LitStr>,
    /// Return type of a reducer when it commits, or of a procedure.
    pub(super) returns: Once<(Span, Type)>,
    pub(super) error: Once<(Span, Type)>,
    pub(super) idempotent: Once<()>,
    pub(super) schema: Once<SavedSchema>,
    pub(super) krate: Once<Path>,
}

impl CallAttrs {
    pub(super) fn parse(cx: &Ctxt, function: Function, args: TokenStream) -> Self {
        let mut parsed = Self::default();
        for entry in attr::split(cx, args) {
            let key = &entry.key;
            let ty = |shape| {
                let ty: Type = entry.value(cx, shape)?;
                check_owned(cx, "a call owns what it returns", &ty);
                Some((key.span(), ty))
            };
            match (entry.name().as_str(), function) {
                ("name", _) => parsed.name.set(cx, key, "name", entry.wire_name(cx)),
                ("ok", Function::Reducer) => parsed.returns.set(cx, key, "ok", ty("Type")),
                ("error", Function::Reducer) => parsed.error.set(cx, key, "error", ty("Type")),
                ("returns", Function::Procedure) => {
                    parsed.returns.set(cx, key, "returns", ty("Type"));
                }
                ("idempotent", _) => {
                    parsed.idempotent.set(cx, key, "idempotent", entry.flag(cx));
                }
                ("schema", _) => {
                    parsed.schema.set(cx, key, "schema", SavedSchema::parse(cx, &entry));
                }
                ("crate", _) => {
                    let path = entry.value_with(cx, "::path", Path::parse_mod_style);
                    parsed.krate.set(cx, key, "crate", path);
                }
                (_, Function::Reducer) => entry.unknown(cx, "reducer", REDUCER),
                (_, Function::Procedure) => entry.unknown(cx, "procedure", PROCEDURE),
            }
        }
        parsed
    }
}
