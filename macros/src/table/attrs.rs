//! `#[table(..)]`.

use proc_macro2::Span;
use syn::{Attribute, Ident, LitStr, Path};

use super::arguments::{self, Argument};
use super::index::{self, IndexAttr};
use crate::attr::{self, Entry, Once};
use crate::ctxt::Ctxt;
use crate::schema::SavedSchema;

const EXPECTED: &[&str] =
    &["name", "event", "view", "row", "primary_key", "index", "args", "lenient", "schema", "crate"];

/// Keys that belong to a module's `#[table(..)]` and not to a client's.
const OF_THE_MODULE: &[&str] = &["public", "private", "scheduled", "accessor", "outbox"];

/// Contents of `#[table(..)]`.
#[derive(Default)]
pub(super) struct TableAttrs {
    pub(super) name: Once<LitStr>,
    pub(super) event: Once<Span>,
    pub(super) view: Once<Span>,
    pub(super) row: Once<(Span, Path)>,
    pub(super) primary_key: Once<(Span, Ident)>,
    pub(super) indexes: Vec<IndexAttr>,
    pub(super) args: Once<(Span, Vec<Argument>)>,
    pub(super) lenient: Once<Span>,
    pub(super) schema: Once<SavedSchema>,
    pub(super) krate: Once<Path>,
}

impl TableAttrs {
    pub(super) fn parse(cx: &Ctxt, attrs: &[Attribute]) -> Self {
        let mut parsed = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("table")) {
            for entry in attr::entries(cx, attr) {
                parsed.add(cx, &entry);
            }
        }
        if let (Some(_), Some(&view)) = (parsed.event.get(), parsed.view.get()) {
            cx.error_at(view, "a view has no events; keep `event` or `view`");
        }
        if let (Some((args, _)), None) = (parsed.args.get(), parsed.view.get()) {
            cx.error_at(*args, "only a view takes arguments; add `view`, or remove this");
        }
        if let (Some(_), Some(&lenient)) = (parsed.row.get(), parsed.lenient.get()) {
            cx.error_at(lenient, "columns belong to the row; write `lenient` there");
        }
        parsed
    }

    fn add(&mut self, cx: &Ctxt, entry: &Entry) {
        let key = &entry.key;
        let at = key.span();
        match entry.name().as_str() {
            "name" => self.name.set(cx, key, "name", entry.wire_name(cx)),
            "event" => self.event.set(cx, key, "event", entry.flag(cx).map(|()| at)),
            "view" => self.view.set(cx, key, "view", entry.flag(cx).map(|()| at)),
            "row" => {
                let row = entry.value(cx, "RowType").map(|path| (at, path));
                self.row.set(cx, key, "row", row);
            }
            "primary_key" => {
                let column = entry.value(cx, "column").map(|column| (at, column));
                self.primary_key.set(cx, key, "primary_key", column);
            }
            "crate" => {
                let path = entry.value_with(cx, "::path", Path::parse_mod_style);
                self.krate.set(cx, key, "crate", path);
            }
            "schema" => {
                self.schema.set(cx, key, "schema", SavedSchema::parse(cx, entry));
            }
            "index" => self.indexes.extend(index::parse(cx, entry)),
            "args" => {
                let args = arguments::parse(cx, entry).map(|args| (at, args));
                self.args.set(cx, key, "args", args);
            }
            "lenient" => self.lenient.set(cx, key, "lenient", entry.flag(cx).map(|()| at)),
            name if OF_THE_MODULE.contains(&name) => {
                let instead =
                    if name == "accessor" { "write `name = \"..\"`" } else { "remove it" };
                cx.error(key, format!("`{name}` is for the module alone; {instead}"));
            }
            _ => entry.unknown(cx, "table", EXPECTED),
        }
    }
}
