//! Types that are hashed and ordered: those of keys and indexes, and whatever is inside.

use std::collections::{BTreeMap, BTreeSet};

use super::{Column, Model, Rows, Ty, TypeBody};

/// Gives every type the traits that those around it need.
pub(super) fn complete(model: &mut Model) {
    let inner = inner(model);
    let keys = closure(keys(model), &inner);
    // Types are hashed as a rule, so rows inside them are.
    let inside = model.types.iter().map(|ty| ty.ident.clone()).chain(keys.iter().cloned());
    let hashed = closure(inside.collect(), &inner);
    for ty in &mut model.types {
        ty.derives.ord |= ty.derives.eq && keys.contains(&ty.ident);
    }
    for table in model.tables.iter_mut().chain(&mut model.views) {
        if let Rows::Own { derives, .. } = &mut table.rows {
            derives.hash = derives.eq && hashed.contains(&table.ident);
            derives.ord = derives.eq && keys.contains(&table.ident);
        }
    }
}

/// The names inside each struct and enum.
fn inner(model: &Model) -> BTreeMap<String, BTreeSet<String>> {
    let mut inner: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |ident: &str, ty: &Ty| {
        let names = inner.entry(ident.to_owned()).or_default();
        ty.names(&mut |name| {
            names.insert(name.to_owned());
        });
    };
    for ty in &model.types {
        match &ty.body {
            TypeBody::Struct(fields) => fields.iter().for_each(|field| add(&ty.ident, &field.ty)),
            TypeBody::Enum(variants) => {
                let payloads = variants.iter().filter_map(|variant| variant.payload.as_ref());
                payloads.for_each(|payload| add(&ty.ident, payload));
            }
        }
    }
    for table in model.tables.iter().chain(&model.views) {
        if let Rows::Own { columns, .. } = &table.rows {
            columns.iter().for_each(|column| add(&table.ident, &column.field.ty));
        }
    }
    inner
}

/// The names in columns that are keys or in an index.
fn keys(model: &Model) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for table in model.tables.iter().chain(&model.views) {
        let Rows::Own { columns, indexes, .. } = &table.rows else { continue };
        let in_several = |column: &Column| {
            indexes.iter().any(|index| index.columns.contains(&column.field.ident))
        };
        for column in columns {
            if column.primary_key || column.unique || column.index.is_some() || in_several(column) {
                column.field.ty.names(&mut |name| {
                    keys.insert(name.to_owned());
                });
            }
        }
    }
    keys
}

/// Names, and all that are inside what they name.
fn closure(
    start: BTreeSet<String>,
    inner: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open: Vec<String> = start.into_iter().collect();
    while let Some(name) = open.pop() {
        if let Some(names) = inner.get(&name) {
            open.extend(names.iter().filter(|name| !all.contains(*name)).cloned());
        }
        all.insert(name);
    }
    all
}
