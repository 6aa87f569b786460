//! A model as a folder: one file a table, with the tables and views that share its rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use lightlike_core::schema::natural_order;

use super::{HEADER, Lines, PRELUDE, items};
use crate::generated::GeneratedFile;
use crate::model::{Function, Model, Rows, Table, Ty, Type, TypeBody};
use crate::names::{self, Scope};

/// The files of the folder `name`, `mod.rs` first.
pub(crate) fn files(model: &Model, name: &str) -> Vec<GeneratedFile> {
    let declared = model.declared();
    let mut modules = Scope::of_values();
    for taken in ["r#mod", "types", "reducers", "procedures"] {
        modules.take(taken);
    }
    // A module would hide the type that is called as it is.
    declared.iter().for_each(|name| {
        modules.take(name);
    });
    let mut parts: Vec<(String, Part)> = Vec::new();
    for table in model.tables.iter().chain(&model.views) {
        if let Rows::Own { .. } = table.rows {
            let module = modules.give(&[&names::file(&table.name)]);
            parts.push((module, Part::default()));
        }
    }
    let mut by_row = BTreeMap::new();
    let mut at = 0;
    for table in model.tables.iter().chain(&model.views) {
        if let Rows::Own { .. } = table.rows {
            by_row.insert(&*table.ident, at);
            parts[at].1.table(table);
            at += 1;
        }
    }
    for table in model.tables.iter().chain(&model.views) {
        if let Rows::Of { row, .. } = &table.rows
            && let Some(at) = by_row.get(&**row)
        {
            parts[*at].1.table(table);
        }
    }
    let types = model.types.iter().fold(Part::default(), |part, ty| part.ty(ty));
    let functions = |word: &'static str, functions: &[Function]| {
        functions.iter().fold(Part::default(), |part, it| part.function(word, it))
    };
    parts.push(("types".to_owned(), types));
    parts.push(("reducers".to_owned(), functions("reducer", &model.reducers)));
    parts.push(("procedures".to_owned(), functions("procedure", &model.procedures)));
    parts.retain(|(_, part)| !part.items.is_empty());
    parts.sort_by(|a, b| natural_order(&a.0, &b.0));

    let modules: Vec<_> = parts.iter().map(|(module, _)| &**module).collect();
    let folder = PathBuf::from(name);
    let mut files =
        vec![GeneratedFile { path: folder.join("mod.rs"), text: root(&modules), once: false }];
    files.extend(parts.into_iter().map(|(module, part)| GeneratedFile {
        path: folder.join(format!("{}.rs", module.trim_start_matches("r#"))),
        text: part.text(&declared),
        once: false,
    }));
    files
}

/// `mod.rs`: everything is found in one place, however many files there are.
fn root(modules: &[&str]) -> String {
    let mut lines = Lines::default();
    if !modules.is_empty() {
        // Modules are ordered by their letters, what is used by its numbers too.
        let mut by_letters = modules.to_vec();
        by_letters.sort_by_key(|module| module.trim_start_matches("r#"));
        lines.line(0, "");
        lines.line(0, "// Nobody uses everything that a module has.");
        lines.line(0, "#![allow(unused_imports)]");
        lines.line(0, "");
        by_letters.iter().for_each(|module| lines.line(0, format!("mod {module};")));
        lines.line(0, "");
        modules.iter().for_each(|module| lines.line(0, format!("pub use self::{module}::*;")));
    }
    HEADER.to_owned() + &lines.into_string()
}

/// One file.
#[derive(Default)]
struct Part {
    items: Vec<String>,
    /// The names of types that it has.
    has: BTreeSet<String>,
    /// The names of types that it mentions.
    mentions: BTreeSet<String>,
}

impl Part {
    fn table(&mut self, table: &Table) {
        self.items.push(items::table(table));
        self.has.insert(table.ident.clone());
        match &table.rows {
            Rows::Own { columns, .. } => {
                columns.iter().for_each(|column| self.mention(&column.field.ty));
            }
            Rows::Of { row, .. } => {
                self.mentions.insert(row.clone());
            }
        }
    }

    fn ty(mut self, ty: &Type) -> Self {
        self.items.push(items::ty(ty));
        self.has.insert(ty.ident.clone());
        match &ty.body {
            TypeBody::Struct(fields) => fields.iter().for_each(|field| self.mention(&field.ty)),
            TypeBody::Enum(variants) => {
                let payloads = variants.iter().filter_map(|variant| variant.payload.as_ref());
                payloads.for_each(|payload| self.mention(payload));
            }
        }
        self
    }

    fn function(mut self, word: &str, function: &Function) -> Self {
        self.items.push(items::function(word, function));
        function.params.iter().for_each(|(_, ty)| self.mention(ty));
        function.returns.iter().for_each(|ty| self.mention(ty));
        self
    }

    fn mention(&mut self, ty: &Ty) {
        ty.names(&mut |name| {
            self.mentions.insert(name.to_owned());
        });
    }

    fn text(self, declared: &BTreeSet<&str>) -> String {
        let mut lines = Lines::default();
        lines.line(0, "");
        lines.line(0, PRELUDE.trim_end());
        let from_elsewhere = self
            .mentions
            .iter()
            .filter(|name| declared.contains(&***name) && !self.has.contains(*name));
        let mut from_elsewhere: Vec<_> = from_elsewhere.map(String::as_str).collect();
        from_elsewhere.sort_by(|a, b| natural_order(a, b));
        if !from_elsewhere.is_empty() {
            lines.line(0, "");
            lines.import("super", &from_elsewhere);
        }
        let mut text = HEADER.to_owned() + &lines.into_string();
        for item in self.items {
            text.push('\n');
            text.push_str(&item);
        }
        text
    }
}

impl Model {
    /// The names of all types that are written.
    fn declared(&self) -> BTreeSet<&str> {
        let tables = self.tables.iter().chain(&self.views).map(|table| &*table.ident);
        tables.chain(self.types.iter().map(|ty| &*ty.ident)).collect()
    }
}
