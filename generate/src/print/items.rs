//! One item each.

use super::Lines;
use crate::model::{
    Column, Derives, Field, Function, Index, Kind, Rows, Table, Type, TypeBody, Variant,
};

pub(crate) fn table(table: &Table) -> String {
    let Table { ident, name, kind, docs, rows, arguments: takes, .. } = table;
    let mut lines = Lines::default();
    lines.docs(docs);
    let mut arguments = vec![format!("name = {name:?}")];
    arguments.extend(match kind {
        Kind::Table => None,
        Kind::Event => Some("event".to_owned()),
        Kind::View => Some("view".to_owned()),
    });
    let takes: Vec<_> = takes.iter().map(|(param, ty)| format!("{param}: {ty}")).collect();
    let takes = (!takes.is_empty()).then(|| format!("args({})", takes.join(", ")));
    match rows {
        Rows::Of { row, primary_key } => {
            lines.line(0, "#[derive(Table)]");
            arguments.push(format!("row = {row}"));
            arguments.extend(primary_key.as_ref().map(|key| format!("primary_key = {key}")));
            arguments.extend(takes);
            lines.attribute(0, "table", &arguments);
            lines.line(0, format!("pub struct {ident};"));
        }
        Rows::Own { derives, columns, indexes } => {
            lines.line(0, derive("Bsatn, Table, ", *derives));
            arguments.extend(takes);
            arguments.extend(indexes.iter().map(index));
            lines.attribute(0, "table", &arguments);
            let columns: Vec<_> = columns.iter().collect();
            body(&mut lines, ident, &columns, "{}", column);
        }
    }
    lines.into_string()
}

fn index(index: &Index) -> String {
    let Index { ident, algorithm, columns } = index;
    format!("index(name = {ident}, {algorithm}(columns = [{}]))", columns.join(", "))
}

fn column(lines: &mut Lines, column: &Column) {
    if column.primary_key {
        lines.attribute(4, "primary_key", &[]);
    }
    if column.auto_inc {
        lines.attribute(4, "auto_inc", &[]);
    }
    if column.unique {
        lines.attribute(4, "unique", &[]);
    }
    if let Some(algorithm) = column.index {
        lines.attribute(4, "index", &[algorithm.to_owned()]);
    }
    named_field(lines, "column", &column.field);
}

fn named_field(lines: &mut Lines, attribute: &str, field: &Field) {
    named(lines, attribute, field.name.as_deref());
    lines.field(4, &format!("pub {}", field.ident), &field.ty);
}

fn named(lines: &mut Lines, attribute: &str, name: Option<&str>) {
    if let Some(name) = name {
        lines.attribute(4, attribute, &[format!("name = {name:?}")]);
    }
}

/// A struct's fields, or `nothing` where there are none.
fn body<T>(
    lines: &mut Lines,
    ident: &str,
    fields: &[T],
    nothing: &str,
    field: impl Fn(&mut Lines, T),
) where
    T: Copy,
{
    if fields.is_empty() {
        let space = if nothing == ";" { "" } else { " " };
        return lines.line(0, format!("pub struct {ident}{space}{nothing}"));
    }
    lines.line(0, format!("pub struct {ident} {{"));
    fields.iter().for_each(|it| field(lines, *it));
    lines.line(0, "}");
}

pub(crate) fn ty(ty: &Type) -> String {
    let Type { ident, docs, derives, body: type_body } = ty;
    let mut lines = Lines::default();
    lines.docs(docs);
    lines.line(0, derive("Bsatn, ", *derives));
    match type_body {
        TypeBody::Struct(fields) => {
            let fields: Vec<_> = fields.iter().collect();
            body(&mut lines, ident, &fields, ";", |lines, field| {
                named_field(lines, "bsatn", field);
            });
        }
        TypeBody::Enum(variants) if variants.is_empty() => {
            lines.line(0, format!("pub enum {ident} {{}}"));
        }
        TypeBody::Enum(variants) => {
            lines.line(0, format!("pub enum {ident} {{"));
            variants.iter().for_each(|it| variant(&mut lines, it));
            lines.line(0, "}");
        }
    }
    lines.into_string()
}

fn variant(lines: &mut Lines, variant: &Variant) {
    let Variant { ident, name, payload, keeps_unknown } = variant;
    named(lines, "bsatn", name.as_deref());
    if *keeps_unknown {
        lines.line(4, "/// The tag of a variant that this program does not know.");
        lines.attribute(4, "bsatn", &["other".to_owned()]);
    }
    match payload {
        None => lines.line(4, format!("{ident},")),
        Some(payload) => lines.list(4, ident, &[payload.to_string()], ","),
    }
}

fn derive(ours: &str, derives: Derives) -> String {
    let Derives { copy, eq, hash, ord } = derives;
    let mut line = format!("#[derive({ours}Clone");
    for (has, name) in [
        (copy, "Copy"),
        (true, "Debug"),
        (true, "PartialEq"),
        (eq, "Eq"),
        (hash, "Hash"),
        (ord, "PartialOrd, Ord"),
    ] {
        if has {
            line.push_str(", ");
            line.push_str(name);
        }
    }
    line + ")]"
}

pub(crate) fn function(word: &str, function: &Function) -> String {
    let Function { ident, name, params, returns } = function;
    let mut lines = Lines::default();
    let arguments: Vec<_> = name.iter().map(|name| format!("name = {name:?}")).collect();
    lines.attribute(0, word, &arguments);
    let params: Vec<_> = params.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
    let returns = returns.as_ref().map_or(String::new(), |returns| format!(" -> {returns}"));
    lines.list(0, &format!("pub fn {ident}"), &params, &format!("{returns};"));
    lines.into_string()
}
