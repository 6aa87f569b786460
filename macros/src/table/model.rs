//! The struct that `#[derive(Table)]` is on, checked.

use std::collections::HashMap;

use proc_macro2::Span;
use syn::{Data, DeriveInput, Field, Fields, GenericParam, Generics, Ident, Path, Visibility};

use super::arguments::Argument;
use super::attrs::TableAttrs;
use super::index::MultiIndex;
use crate::bsatn::ContainerAttrs;
use crate::case;
use crate::ctxt::{Ctxt, quietly};
use crate::schema::SavedSchema;

/// A struct that names a table.
pub(crate) struct TableInput<'a> {
    pub(crate) ident: &'a Ident,
    /// The Rust name, without `r#`.
    pub(crate) rust_name: String,
    pub(crate) krate: Path,
    /// The name on the wire.
    pub(crate) name: String,
    pub(crate) vis: &'a Visibility,
    pub(crate) kind: Kind,
    /// Parameters of the view.
    pub(crate) args: Vec<Argument>,
    /// `true` if columns that the server has behind these are left alone.
    pub(crate) lenient: bool,
    pub(crate) shape: Shape<'a>,
    /// Schema to compare it with.
    pub(crate) schema: Option<SavedSchema>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    Event,
    View,
}

pub(crate) enum Shape<'a> {
    Row(RowModel<'a>),
    Marker(MarkerModel),
    /// Nothing that could be a table; an error says why.
    Broken,
}

/// A row, which is the marker of its own table too.
pub(crate) struct RowModel<'a> {
    pub(crate) columns: Vec<ColumnModel<'a>>,
    pub(crate) indexes: Vec<MultiIndex>,
}

pub(crate) struct ColumnModel<'a> {
    pub(crate) field: &'a Field,
    pub(crate) ident: &'a Ident,
    /// The name of the typed constant.
    pub(crate) constant: Ident,
    /// The name on the wire.
    pub(crate) name: String,
    pub(crate) primary: Option<Span>,
    pub(crate) unique: Option<Span>,
    pub(crate) index: Option<Span>,
}

/// A further table of a row that stands elsewhere.
pub(crate) struct MarkerModel {
    pub(crate) row: Path,
    pub(crate) primary_key: Option<Ident>,
}

impl<'a> TableInput<'a> {
    pub(super) fn parse(cx: &Ctxt, input: &'a DeriveInput) -> Self {
        let attrs = TableAttrs::parse(cx, &input.attrs);
        check_placed(cx, input);
        let kind = match (attrs.event.get(), attrs.view.get()) {
            (Some(_), _) => Kind::Event,
            (None, Some(_)) => Kind::View,
            (None, None) => Kind::Table,
        };
        let shape = shape(cx, input, &attrs, kind);
        // What is wrong with this attribute, its own derive reports.
        let bsatn = quietly(|cx| ContainerAttrs::parse(cx, &input.attrs));
        let rust_name = crate::name_of(&input.ident);
        Self {
            ident: &input.ident,
            krate: crate::facade(attrs.krate.take().or_else(|| bsatn.krate.take())),
            name: match attrs.name.take() {
                Some(name) => name.value(),
                None => crate::server_name(cx, &input.ident, case::snake),
            },
            rust_name,
            vis: &input.vis,
            kind,
            args: attrs.args.take().map_or_else(Vec::new, |(_, args)| args),
            lenient: attrs.lenient.get().is_some(),
            shape,
            schema: attrs.schema.take(),
        }
    }
}

fn shape<'a>(cx: &Ctxt, input: &'a DeriveInput, attrs: &TableAttrs, kind: Kind) -> Shape<'a> {
    check_generics(cx, &input.generics);
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            cx.error(data.enum_token, "a row is a struct; an enum can be the type of a column");
            return Shape::Broken;
        }
        Data::Union(data) => {
            cx.error(data.union_token, "a row is a struct");
            return Shape::Broken;
        }
    };
    if let Some((_, row)) = attrs.row.get() {
        check_marker(cx, attrs, kind, fields, row);
        let primary_key = attrs.primary_key.get().map(|(_, column)| column.clone());
        return Shape::Marker(MarkerModel { row: row.clone(), primary_key });
    }
    if attrs.row.is_said() {
        return Shape::Broken;
    }
    if let Some((at, _)) = attrs.primary_key.get() {
        cx.error_at(*at, "mark the column itself: `#[primary_key]`");
    }
    let bsatn = quietly(|cx| ContainerAttrs::parse(cx, &input.attrs));
    if let Some(&at) = bsatn.transparent.get() {
        cx.error_at(at, "a row is a product of its columns; remove `transparent`");
    }
    let row = match fields {
        Fields::Named(fields) => row(cx, fields, attrs, kind),
        Fields::Unnamed(fields) => {
            cx.error(fields, "a row's columns have names; name the fields: `{ id: u64 }`");
            return Shape::Broken;
        }
        Fields::Unit => {
            let message = "a table needs a row: give this struct the columns as fields, or name \
                the struct that has them: `#[table(row = Row)]`";
            cx.error(&input.ident, message);
            return Shape::Broken;
        }
    };
    if input.generics.params.is_empty() { Shape::Row(row) } else { Shape::Broken }
}

/// The server refuses a module with such a view: rows of all arguments share the client's cache.
const KEY_WITH_ARGUMENTS: &str = "a view with arguments has no primary key: rows for different arguments \
    may have the same; remove this";

/// Reports a column's attribute on the struct, and the struct's on a field: Rust takes both for ours and says nothing.
fn check_placed(cx: &Ctxt, input: &DeriveInput) {
    let of_columns = ["primary_key", "unique", "index", "column", "auto_inc"];
    for attr in &input.attrs {
        if of_columns.iter().any(|name| attr.path().is_ident(name)) {
            cx.error(attr, "this is for a column; put it on the field");
        }
    }
    let Data::Struct(data) = &input.data else { return };
    for attr in data.fields.iter().flat_map(|field| &field.attrs) {
        if attr.path().is_ident("table") {
            cx.error(attr, "this is for the table; put it on the struct");
        }
    }
}

fn check_generics(cx: &Ctxt, generics: &Generics) {
    for param in &generics.params {
        let message = match param {
            GenericParam::Lifetime(_) => {
                "a row owns its columns; remove the lifetime and use types like `String`"
            }
            GenericParam::Type(_) | GenericParam::Const(_) => {
                "a table has one row type; remove the generics"
            }
        };
        cx.error(param, message);
    }
}

fn check_marker(cx: &Ctxt, attrs: &TableAttrs, kind: Kind, fields: &Fields, row: &Path) {
    let row = crate::types::text(row);
    if !matches!(fields, Fields::Unit) {
        let message = format!("the columns are those of `{row}`; end this struct with `;`");
        cx.error(fields, message);
    }
    if let Some((at, _)) = attrs.primary_key.get() {
        if kind != Kind::View {
            cx.error_at(*at, "a table has the primary key of its row; remove this");
        } else if attrs.args.is_said() {
            cx.error_at(*at, KEY_WITH_ARGUMENTS);
        }
    }
    for index in &attrs.indexes {
        cx.error(index.name(), format!("indexes belong to the row; move this to `{row}`"));
    }
}

fn row<'a>(
    cx: &Ctxt,
    fields: &'a syn::FieldsNamed,
    attrs: &TableAttrs,
    kind: Kind,
) -> RowModel<'a> {
    let named = fields.named.iter().filter_map(|field| field.ident.as_ref().map(|id| (field, id)));
    let columns: Vec<_> =
        named.map(|(field, ident)| ColumnModel::parse(cx, field, ident)).collect();
    check_columns(cx, &columns);
    if kind == Kind::View {
        check_view(cx, attrs, &columns);
    }
    let indexes: Vec<_> =
        attrs.indexes.iter().filter_map(|index| MultiIndex::resolve(cx, index, &columns)).collect();
    for (at, index) in indexes.iter().enumerate() {
        if indexes[..at].iter().any(|earlier| earlier.constant == index.constant) {
            cx.error(&index.constant, "an index has this name already; give this one another");
        }
    }
    RowModel { columns, indexes }
}

fn check_columns(cx: &Ctxt, columns: &[ColumnModel<'_>]) {
    let mut keys = columns.iter().filter_map(|column| column.primary);
    keys.next();
    for second in keys {
        cx.error_at(second, "a table has one primary key; make the others `#[unique]`");
    }
    if let Some(column) = columns.get(usize::from(u16::MAX)) {
        cx.error(column.ident, "a row has fewer than 65,536 columns");
    }
    let mut names = HashMap::new();
    let mut constants = HashMap::new();
    for column in columns {
        let ident = column.ident;
        if let Some(earlier) = names.insert(&column.name, ident) {
            let name = &column.name;
            let message = format!("the column of `{earlier}` is called `{name}` too; rename one");
            cx.error(ident, message);
        } else if let Some(earlier) = constants.insert(&column.constant, ident) {
            let constant = &column.constant;
            let message =
                format!("the constant of `{earlier}` is called `{constant}` too; rename one");
            cx.error(ident, message);
        }
    }
}

/// A view's rows are computed: nothing promises that they are unique, and the module has no index over them.
fn check_view(cx: &Ctxt, attrs: &TableAttrs, columns: &[ColumnModel<'_>]) {
    for column in columns {
        if let Some(at) = column.unique {
            cx.error_at(at, "a view has no unique columns; remove this");
        }
        if let Some(at) = column.index {
            cx.error_at(at, "a view has no indexes; remove this");
        }
        if let (true, Some(at)) = (attrs.args.is_said(), column.primary) {
            cx.error_at(at, KEY_WITH_ARGUMENTS);
        }
    }
    for index in &attrs.indexes {
        cx.error(index.name(), "a view has no indexes; remove this");
    }
}

impl RowModel<'_> {
    /// The position of the primary key.
    pub(crate) fn primary_key(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.primary.is_some())
    }

    /// The least visible of some columns: an index may be seen where all of its columns may.
    pub(super) fn visibility(&self, columns: &[usize]) -> Visibility {
        let all = columns.iter().map(|&at| &self.columns[at].field.vis);
        all.min_by_key(|vis| reach(vis)).cloned().unwrap_or(Visibility::Inherited)
    }
}

#[cfg(feature = "schema")]
impl ColumnModel<'_> {
    /// The field without its attributes, to underline.
    pub(crate) fn field_tokens(&self) -> proc_macro2::TokenStream {
        let (ident, ty) = (self.ident, &self.field.ty);
        quote::quote!(#ident: #ty)
    }
}

/// Reach of a visibility, coarsely.
fn reach(vis: &Visibility) -> u8 {
    match vis {
        Visibility::Public(_) => 3,
        Visibility::Restricted(within) if within.path.is_ident("crate") => 2,
        Visibility::Restricted(within) if !within.path.is_ident("self") => 1,
        Visibility::Restricted(_) | Visibility::Inherited => 0,
    }
}
