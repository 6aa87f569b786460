//! Public types and constants of a source file, without what is no contract: comments, derives, function bodies.

use std::collections::BTreeMap;

use anyhow::Context;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Attribute, Fields, ItemConst, ItemEnum, ItemMod, ItemStruct, Meta};

/// A type or a constant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) kind: &'static str,
    /// Variants in order, fields, or the value: each a line, so that a change names the line.
    pub(crate) parts: Vec<String>,
}

/// Reads the items of a file, under `place::name`.
pub(crate) fn read(
    place: &str,
    text: &str,
    into: &mut BTreeMap<String, Item>,
) -> anyhow::Result<()> {
    let file =
        syn::parse_file(text).with_context(|| format!("{place} is no Rust that is understood"))?;
    let mut reader = Reader { place, path: Vec::new(), into };
    reader.visit_file(&file);
    Ok(())
}

struct Reader<'a> {
    place: &'a str,
    path: Vec<String>,
    into: &'a mut BTreeMap<String, Item>,
}

impl Reader<'_> {
    fn add(&mut self, name: &syn::Ident, kind: &'static str, parts: Vec<String>) {
        let path: String = self.path.iter().map(|module| format!("{module}::")).collect();
        self.into.insert(format!("{}::{path}{name}", self.place), Item { kind, parts });
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        let variants = item.variants.iter().map(|variant| {
            let value = variant.discriminant.iter().map(|(_, value)| format!(" = {}", text(value)));
            format!(
                "{}{}{}{}",
                variant.ident,
                fields(&variant.fields).join(", ").parenthesized(),
                value.collect::<String>(),
                message(&variant.attrs),
            )
        });
        self.add(&item.ident, "enum", variants.collect());
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        let mut parts = fields(&item.fields);
        let said = message(&item.attrs);
        parts.extend((!said.is_empty()).then_some(said));
        self.add(&item.ident, "struct", parts);
    }

    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        self.add(&item.ident, "const", vec![text(&item.expr)]);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        // Tests are nobody's contract.
        let tests = item.attrs.iter().any(|attribute| text(attribute).contains("test"));
        if tests || item.ident.to_string().ends_with("tests") {
            return;
        }
        self.path.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.path.pop();
    }
}

fn fields(fields: &Fields) -> Vec<String> {
    let field = |field: &syn::Field| {
        let name = field.ident.iter().map(|name| format!("{name}: ")).collect::<String>();
        name + &text(&field.ty)
    };
    fields.iter().map(field).collect()
}

/// The text that `thiserror` shows.
fn message(attributes: &[Attribute]) -> String {
    let said = attributes.iter().filter(|attribute| attribute.path().is_ident("error"));
    let said = said.filter_map(|attribute| match &attribute.meta {
        Meta::List(list) => Some(format!(" says {}", list.tokens)),
        _ => None,
    });
    said.collect()
}

/// Tokens with single spaces, and none around punctuation: two layouts of one source are the same.
fn text(tokens: &impl ToTokens) -> String {
    let spaced = tokens.to_token_stream().to_string();
    let mut text = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    for mark in ["::", "<", ">", ",", "&", "(", ")"] {
        text = text.replace(&format!(" {mark}"), mark).replace(&format!("{mark} "), mark);
    }
    text.replace(',', ", ")
}

trait Parenthesized {
    fn parenthesized(self) -> String;
}

impl Parenthesized for String {
    fn parenthesized(self) -> String {
        if self.is_empty() { self } else { format!("({self})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(text: &str) -> BTreeMap<String, Item> {
        let mut items = BTreeMap::new();
        read("lib.rs", text, &mut items).unwrap();
        items
    }

    #[test]
    fn layout_and_comments_make_no_difference() {
        let one = read_one("/// A.\nenum A { B(Vec<u8>), C { d: u8 } }");
        let other =
            read_one("#[derive(Debug)] enum A {\n  /// B.\n  B(Vec < u8 >),\n  C { d : u8, }\n}");
        assert_eq!(one, other);
        assert_eq!(one["lib.rs::A"].parts, ["B(Vec<u8>)", "C(d: u8)"]);
    }

    #[test]
    fn error_texts_and_constants_are_parts() {
        let items = read_one(r#"enum E { #[error("no {0}")] No(u8) } const MAX: u32 = 16;"#);
        assert_eq!(items["lib.rs::E"].parts, ["No(u8) says \"no {0}\""]);
        assert_eq!(items["lib.rs::MAX"].parts, ["16"]);
    }

    #[test]
    fn test_modules_are_left_out() {
        assert!(read_one("#[cfg(test)] mod tests { struct A; }").is_empty());
    }
}
