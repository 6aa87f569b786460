//! A column: a field of a row, with `#[primary_key]`, `#[unique]`, `#[index(..)]`, `#[column(..)]` and `#[auto_inc]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Attribute, Field, Ident, Meta, Path};

use super::index::ALGORITHMS;
use super::model::ColumnModel;
use crate::attr::{self, Once};
use crate::bsatn::field_name;
use crate::ctxt::Ctxt;
use crate::types::is_float;

impl<'a> ColumnModel<'a> {
    pub(super) fn parse(cx: &Ctxt, field: &'a Field, ident: &'a Ident) -> Self {
        let mut primary = Once::default();
        let mut unique = Once::default();
        let mut index = Once::default();
        let mut auto_inc = Once::default();
        for attr in &field.attrs {
            let Some(name) = attr.path().get_ident() else { continue };
            match name.to_string().as_str() {
                "primary_key" => primary.set(cx, attr, "primary_key", word(cx, attr, name)),
                "unique" => unique.set(cx, attr, "unique", word(cx, attr, name)),
                "auto_inc" => auto_inc.set(cx, attr, "auto_inc", word(cx, attr, name)),
                "index" => index.set(cx, attr, "index", algorithm(cx, attr)),
                _ => (),
            }
        }
        if let (Some(_), Some(&unique)) = (primary.get(), unique.get()) {
            cx.error_at(unique, "a primary key is unique already; remove this");
        }
        let column = Self {
            field,
            ident,
            constant: crate::constant(ident),
            name: field_name(cx, &field.attrs, ident, "column"),
            primary: primary.take(),
            unique: unique.take(),
            index: index.take(),
        };
        if let Some(what) = column.mark() {
            column.check_keyable(cx, what);
        }
        column
    }

    /// Attribute that marks the column.
    fn mark(&self) -> Option<&'static str> {
        match (self.primary, self.unique, self.index) {
            (Some(_), ..) => Some("a primary key"),
            (_, Some(_), _) => Some("unique"),
            (.., Some(_)) => Some("indexed"),
            (None, None, None) => None,
        }
    }

    /// Reports a float in an index over several columns, unless its own attributes did.
    pub(super) fn check_indexable(&self, cx: &Ctxt) {
        if self.mark().is_none() {
            self.check_keyable(cx, "indexed");
        }
    }

    fn check_keyable(&self, cx: &Ctxt, what: &str) {
        if is_float(&self.field.ty) {
            let message = format!("a float cannot be {what}: not every float equals itself");
            cx.error(&self.field.ty, message);
        }
    }

    /// Kind of the column, as a type.
    pub(super) fn kind(&self, krate: &Path) -> TokenStream {
        let unique = match (self.primary, self.unique) {
            (Some(_), _) => quote!(Primary),
            (None, Some(_)) => quote!(Unique),
            (None, None) => quote!(Plain),
        };
        let index = if self.index.is_some() { quote!(Indexed) } else { quote!(Plain) };
        quote!(#krate::__private::Kind<#krate::__private::#unique, #krate::__private::#index>)
    }
}

/// An attribute without arguments.
fn word(cx: &Ctxt, attr: &Attribute, name: &Ident) -> Option<Span> {
    match &attr.meta {
        Meta::Path(_) => Some(name.span()),
        Meta::List(_) | Meta::NameValue(_) => {
            cx.error(&attr.meta, format!("`{name}` takes no arguments; write `#[{name}]`"));
            Some(name.span())
        }
    }
}

/// `#[index(btree)]`.
fn algorithm(cx: &Ctxt, attr: &Attribute) -> Option<Span> {
    let span = attr.path().get_ident().map(Ident::span);
    let entries = attr::entries(cx, attr);
    match entries.as_slice() {
        [] => cx.error(attr, "say which: `#[index(btree)]`"),
        [entry] if ALGORITHMS.contains(&entry.name().as_str()) => {
            entry.flag(cx);
        }
        [entry] => entry.unknown(cx, "index", ALGORITHMS),
        [_, more, ..] => {
            let message = "a column's index is one word, `#[index(btree)]`; one over several \
                columns stands in `#[table(index(..))]`";
            cx.error(&more.key, message);
        }
    }
    span
}
