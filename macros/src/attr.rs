//! Contents of attributes: `key`, `key = value` and `key(..)`, separated by commas.
//!
//! Not `syn`'s nested meta, which stops at the first mistake and takes no types as values.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, Parser};
use syn::{Attribute, LitStr, Meta};

use crate::ctxt::Ctxt;

/// One element of an attribute's list.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    value: Value,
}

enum Value {
    Flag,
    Is(TokenStream),
    List(TokenStream),
}

/// The elements of `#[name(..)]`; none of `#[name]`.
pub(crate) fn entries(cx: &Ctxt, attr: &Attribute) -> Vec<Entry> {
    match &attr.meta {
        Meta::Path(_) => Vec::new(),
        Meta::List(list) => split(cx, list.tokens.clone()),
        Meta::NameValue(pair) => {
            let name = pair.path.to_token_stream();
            cx.error(pair, format!("what belongs to `{name}` stands in parentheses: `{name}(..)`"));
            Vec::new()
        }
    }
}

/// The elements of a list's tokens.
pub(crate) fn split(cx: &Ctxt, tokens: TokenStream) -> Vec<Entry> {
    at_commas(tokens).into_iter().filter_map(|tokens| Entry::parse(cx, tokens)).collect()
}

/// Splits at the commas that stand in no angle brackets: types have commas of their own.
fn at_commas(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    let mut depth = 0_usize;
    let mut arrow = false;
    for token in tokens {
        if let TokenTree::Punct(punct) = &token {
            match punct.as_char() {
                '<' => depth += 1,
                '>' if !arrow => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    parts.push(Vec::new());
                    continue;
                }
                _ => (),
            }
            arrow = matches!(punct.as_char(), '-' | '=');
        }
        if let Some(part) = parts.last_mut() {
            part.push(token);
        }
    }
    if parts.last().is_some_and(Vec::is_empty) {
        // A comma may stand behind the last element.
        parts.pop();
    }
    parts
}

impl Entry {
    fn parse(cx: &Ctxt, tokens: Vec<TokenTree>) -> Option<Self> {
        let all: TokenStream = tokens.iter().cloned().collect();
        let mut tokens = tokens.into_iter();
        let Some(TokenTree::Ident(key)) = tokens.next() else {
            cx.error(all, "expected a word, `word = value` or `word(..)`");
            return None;
        };
        let value = match tokens.next() {
            None => Value::Flag,
            Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => Value::Is(tokens.collect()),
            Some(TokenTree::Group(group))
                if group.delimiter() == Delimiter::Parenthesis && tokens.len() == 0 =>
            {
                Value::List(group.stream())
            }
            Some(_) => {
                cx.error(all, format!("expected `{key}`, `{key} = value` or `{key}(..)`"));
                return None;
            }
        };
        Some(Self { key, value })
    }

    /// The key as text; raw identifiers without their `r#`.
    pub(crate) fn name(&self) -> String {
        crate::name_of(&self.key)
    }

    /// Returns `true` for a word alone.
    pub(crate) fn is_flag(&self) -> bool {
        matches!(self.value, Value::Flag)
    }

    /// A word that stands alone.
    pub(crate) fn flag(&self, cx: &Ctxt) -> Option<()> {
        match &self.value {
            Value::Flag => Some(()),
            Value::Is(value) | Value::List(value) => {
                cx.error(
                    self.with(value),
                    format!("`{}` takes no value; write it alone", self.key),
                );
                None
            }
        }
    }

    /// `key = value`; `shape` is what to write for the value.
    pub(crate) fn value<T: Parse>(&self, cx: &Ctxt, shape: &str) -> Option<T> {
        self.value_with(cx, shape, T::parse)
    }

    /// As [`value`](Self::value), read by a function.
    pub(crate) fn value_with<P: Parser>(
        &self,
        cx: &Ctxt,
        shape: &str,
        parse: P,
    ) -> Option<P::Output> {
        let expected = format!("expected `{} = {shape}`", self.key);
        match &self.value {
            Value::Is(value) => match parse.parse2(value.clone()) {
                Ok(parsed) => Some(parsed),
                Err(_) => {
                    cx.error(self.with(value), expected);
                    None
                }
            },
            Value::Flag => {
                cx.error(&self.key, expected);
                None
            }
            Value::List(list) => {
                cx.error(self.with(list), expected);
                None
            }
        }
    }

    /// `key = "text"`, the explicit name of something.
    pub(crate) fn wire_name(&self, cx: &Ctxt) -> Option<LitStr> {
        let name: LitStr = self.value(cx, "\"..\"")?;
        if name.value().is_empty() {
            cx.error(&name, "a name has at least one character");
        }
        Some(name)
    }

    /// `key(..)`: the elements in the parentheses; `shape` is what to write there.
    pub(crate) fn list(&self, cx: &Ctxt, shape: &str) -> Option<Vec<Self>> {
        match &self.value {
            Value::List(list) => Some(split(cx, list.clone())),
            Value::Flag => {
                cx.error(&self.key, format!("expected `{}({shape})`", self.key));
                None
            }
            Value::Is(value) => {
                cx.error(self.with(value), format!("expected `{}({shape})`", self.key));
                None
            }
        }
    }

    /// `key(..)`, read by a function; `shape` is what to write there.
    pub(crate) fn list_with<P: Parser>(
        &self,
        cx: &Ctxt,
        shape: &str,
        parse: P,
    ) -> Option<P::Output> {
        let expected = format!("expected `{}({shape})`", self.key);
        match &self.value {
            Value::List(list) => match parse.parse2(list.clone()) {
                Ok(parsed) => Some(parsed),
                Err(error) => {
                    cx.error_at(error.span(), expected);
                    None
                }
            },
            Value::Flag => {
                cx.error(&self.key, expected);
                None
            }
            Value::Is(value) => {
                cx.error(self.with(value), expected);
                None
            }
        }
    }

    /// Reports that `attribute` has no such element.
    pub(crate) fn unknown(&self, cx: &Ctxt, attribute: &str, expected: &[&str]) {
        let expected: Vec<_> = expected.iter().map(|name| format!("`{name}`")).collect();
        let expected = match expected.as_slice() {
            [one] => one.clone(),
            [many @ .., last] => format!("{} or {last}", many.join(", ")),
            [] => "nothing".to_owned(),
        };
        cx.error(
            &self.key,
            format!("unknown `{attribute}` attribute `{}`; expected {expected}", self.name()),
        );
    }

    /// The key with what follows it, to underline both. A missing value leaves the key.
    fn with(&self, rest: &TokenStream) -> TokenStream {
        let mut tokens = self.key.to_token_stream();
        tokens.extend(rest.clone());
        tokens
    }
}

/// Something that an attribute may say once.
pub(crate) struct Once<T> {
    /// `true` if it was given, well or badly.
    said: bool,
    value: Option<T>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self { said: false, value: None }
    }
}

impl<T> Once<T> {
    /// Keeps `value`, or reports that there is one already. `at` is what to underline, `name` what to call it.
    pub(crate) fn set(&mut self, cx: &Ctxt, at: impl ToTokens, name: &str, value: Option<T>) {
        if self.said {
            cx.error(at, format!("`{name}` stands here twice; keep one"));
        } else {
            self.said = true;
            self.value = value;
        }
    }

    /// Returns `true` if it was given, if only to be misunderstood.
    pub(crate) fn is_said(&self) -> bool {
        self.said
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    pub(crate) fn take(self) -> Option<T> {
        self.value
    }
}
