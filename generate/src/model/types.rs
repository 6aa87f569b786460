//! Types: which have a name, which get one, and which are written where they stand.

use std::collections::{BTreeMap, BTreeSet};

use lightlike_core::schema::{
    Scalar, ServerField, ServerSchema, ServerType, ServerVariant, natural_order,
};

use super::{Derives, Field, Ty, Type, TypeBody, Variant};
use crate::error::GenerateError;
use crate::names::{self, Scope};

/// Maximal nesting of types that is followed.
const MAX_DEPTH: usize = 64;
/// Maximal number of variants that a tag tells apart.
const MAX_VARIANTS: usize = 256;
/// The largest tuple that has an encoding.
const MAX_TUPLE: usize = 12;

/// The types of a schema, and the names that they and all else at their level have.
pub(super) struct Types<'s> {
    schema: &'s ServerSchema,
    /// All names of types.
    scope: Scope,
    /// The names of types of the typespace.
    names: BTreeMap<u32, String>,
    /// Types of the typespace that are rows, and written as such.
    rows: BTreeSet<u32>,
    /// Types of the typespace that were seen to end.
    finite: BTreeSet<u32>,
    /// Enums without values keep the variants that they do not know.
    open_enums: bool,
    /// Types of the typespace that are among the items, or will be.
    written: BTreeSet<u32>,
    items: Vec<Type>,
}

impl<'s> Types<'s> {
    pub(super) fn new(schema: &'s ServerSchema, open_enums: bool) -> Self {
        let mut scope = Scope::of_types();
        let mut named: Vec<_> = schema.types.iter().collect();
        // Names without a scope come first, so that they stay as they are.
        named.sort_by(|a, b| {
            (a.scope.len(), &a.scope, &a.name, a.ty).cmp(&(b.scope.len(), &b.scope, &b.name, b.ty))
        });
        let mut names = BTreeMap::new();
        for name in named {
            let scoped: String = name.scope.iter().map(|part| names::ty(part)).collect();
            let plain = names::ty(&name.name);
            let numbered = format!("{}Type", plain.trim_end_matches('_'));
            let candidates = [plain.clone(), scoped + &plain, numbered];
            let candidates: Vec<_> = candidates.iter().map(String::as_str).collect();
            names.entry(name.ty).or_insert_with(|| scope.give(&candidates));
        }
        Self {
            schema,
            scope,
            names,
            rows: BTreeSet::new(),
            finite: BTreeSet::new(),
            open_enums,
            written: BTreeSet::new(),
            items: Vec::new(),
        }
    }

    /// A name for something new at the level of types.
    pub(super) fn name(&mut self, candidates: &[&str]) -> String {
        self.scope.give(candidates)
    }

    /// Takes the name of a function's type, and returns `true` if it was free.
    pub(super) fn take(&mut self, name: &str) -> bool {
        self.scope.take(name)
    }

    /// The name of a type of the typespace, which gets one from `hint` if it has none.
    pub(super) fn name_of(&mut self, at: u32, hint: &str) -> String {
        if let Some(name) = self.names.get(&at) {
            return name.clone();
        }
        let name = self.scope.give(&[&names::ty(hint)]);
        self.names.insert(at, name.clone());
        name
    }

    /// Says that a type of the typespace is a row, which is written as such and not among the types.
    pub(super) fn is_row(&mut self, at: u32) {
        self.rows.insert(at);
    }

    /// The types that are written, by their names.
    pub(super) fn into_items(mut self) -> Vec<Type> {
        self.items.sort_by(|a, b| natural_order(&a.ident, &b.ident));
        self.items
    }

    /// Source of a type. `what` says whose it is, `hint` what to call it where it needs a name.
    pub(super) fn ty(
        &mut self,
        ty: &ServerType,
        what: &str,
        hint: &str,
    ) -> Result<Ty, GenerateError> {
        self.nested(ty, what, hint, 0)
    }

    fn nested(
        &mut self,
        ty: &ServerType,
        what: &str,
        hint: &str,
        depth: usize,
    ) -> Result<Ty, GenerateError> {
        if depth > MAX_DEPTH {
            return Err(GenerateError::TooDeep { what: what.into(), limit: MAX_DEPTH });
        }
        let depth = depth + 1;
        let mut boxed = |ty| self.nested(ty, what, hint, depth).map(Box::new);
        Ok(match ty {
            ServerType::Scalar(scalar) => Ty::Named(scalar.to_string()),
            ServerType::Array(element) => Ty::Vec(boxed(element)?),
            ServerType::Option(some) => Ty::Option(boxed(some)?),
            ServerType::Result(ok, err) => Ty::Result(boxed(ok)?, boxed(err)?),
            ServerType::Ref(at) => self.reference(*at, what, hint, depth)?,
            ServerType::Product(fields) if fields.is_empty() => Ty::Unit,
            ServerType::Product(fields) if is_tuple(fields) => {
                let fields = fields.iter().map(|field| self.nested(&field.ty, what, hint, depth));
                Ty::Tuple(fields.collect::<Result<_, _>>()?)
            }
            ServerType::Product(_) | ServerType::Sum(_) => {
                let ident = self.name(&[&names::ty(hint)]);
                self.write(ty, &ident, what)?;
                Ty::Named(ident)
            }
        })
    }

    fn reference(
        &mut self,
        at: u32,
        what: &str,
        hint: &str,
        depth: usize,
    ) -> Result<Ty, GenerateError> {
        self.check_finite(at, what, &mut Vec::new())?;
        let schema = self.schema;
        let ty = schema.typespace.get(at as usize).ok_or_else(|| self.dangling(at, what))?;
        match ty {
            ServerType::Product(_) | ServerType::Sum(_) => {
                let ident = self.name_of(at, hint);
                if !self.rows.contains(&at) && self.written.insert(at) {
                    self.write(ty, &ident, &ident)?;
                }
                Ok(Ty::Named(ident))
            }
            // Another name for something that has one.
            ty => self.nested(ty, what, hint, depth),
        }
    }

    fn write(&mut self, ty: &ServerType, ident: &str, what: &str) -> Result<(), GenerateError> {
        let exact = !self.has_float(ty);
        let mut derives = Derives { copy: false, eq: exact, hash: exact, ord: false };
        let body = match ty {
            ServerType::Sum(variants) => {
                let has_values = variants.iter().any(|variant| variant.payload.is_some());
                (derives.copy, derives.ord) = (!has_values, !has_values);
                let grows = (1..MAX_VARIANTS).contains(&variants.len());
                let is_open = self.open_enums && !has_values && grows;
                TypeBody::Enum(self.variants(variants, ident, what, is_open)?)
            }
            ServerType::Product(fields) => TypeBody::Struct(self.fields(fields, ident, what)?),
            _ => TypeBody::Struct(Vec::new()),
        };
        self.items.push(Type { ident: ident.to_owned(), docs: Vec::new(), derives, body });
        Ok(())
    }

    /// The fields of a struct called `owner`.
    pub(super) fn fields(
        &mut self,
        fields: &[ServerField],
        owner: &str,
        what: &str,
    ) -> Result<Vec<Field>, GenerateError> {
        let mut scope = Scope::of_values();
        let fields = fields.iter().enumerate().map(|(at, field)| {
            let numbered = format!("field_{at}");
            let name = names::given(&field.name).unwrap_or_else(|| match &field.ty {
                // A row of one column, which is a special type.
                ServerType::Scalar(scalar) if fields.len() == 1 => special_field(*scalar),
                _ => &numbered,
            });
            let ident = scope.give(&[&names::value(name.trim_start_matches("__"))]);
            let what = format!("`{name}` of {what}");
            let hint = format!("{owner}{}", names::ty(name));
            let ty = self.ty(&field.ty, &what, &hint)?;
            let found = names::snake(&ident) == name;
            Ok(Field { ident, name: (!found).then(|| name.to_owned()), ty })
        });
        fields.collect()
    }

    fn variants(
        &mut self,
        variants: &[ServerVariant],
        owner: &str,
        what: &str,
        is_open: bool,
    ) -> Result<Vec<Variant>, GenerateError> {
        if variants.len() > MAX_VARIANTS {
            let variants = variants.len();
            return Err(GenerateError::TooManyVariants { what: what.into(), variants });
        }
        let mut scope = Scope::of_variants();
        let variants = variants.iter().enumerate().map(|(at, variant)| {
            let numbered = format!("V{at}");
            let name = names::given(&variant.name).unwrap_or(&numbered);
            let ident = scope.give(&[&names::ty(name)]);
            let payload = variant.payload.as_ref().map(|payload| {
                self.ty(payload, &format!("`{name}` of {what}"), &format!("{owner}{ident}"))
            });
            let found = names::camel(&ident) == name;
            let name = (!found && names::given(&variant.name).is_some()).then(|| name.to_owned());
            Ok(Variant { ident, name, payload: payload.transpose()?, keeps_unknown: false })
        });
        let mut variants: Vec<_> = variants.collect::<Result<_, _>>()?;
        variants.extend(is_open.then(|| Variant {
            ident: scope.give(&["Other", "Unknown"]),
            name: None,
            payload: Some(Ty::Named("u8".to_owned())),
            keeps_unknown: true,
        }));
        Ok(variants)
    }

    /// Returns `true` if a type has a float somewhere inside, so that its values are not always equal to themselves.
    pub(super) fn has_float(&self, ty: &ServerType) -> bool {
        self.any(ty, &mut BTreeSet::new(), &|ty| {
            matches!(ty, ServerType::Scalar(Scalar::F32 | Scalar::F64))
        })
    }

    fn any(
        &self,
        ty: &ServerType,
        seen: &mut BTreeSet<u32>,
        is: &dyn Fn(&ServerType) -> bool,
    ) -> bool {
        if is(ty) {
            return true;
        }
        match ty {
            ServerType::Ref(at) => {
                let next = self.schema.typespace.get(*at as usize);
                seen.insert(*at) && next.is_some_and(|ty| self.any(ty, seen, is))
            }
            _ => inner(ty).into_iter().any(|ty| self.any(ty, seen, is)),
        }
    }

    /// Follows a type of the typespace to its ends, if it has any.
    fn check_finite(
        &mut self,
        at: u32,
        what: &str,
        open: &mut Vec<u32>,
    ) -> Result<(), GenerateError> {
        if self.finite.contains(&at) {
            return Ok(());
        }
        if let Some(start) = open.iter().position(|&earlier| earlier == at) {
            let circle = open[start..].iter().chain([&at]);
            let names = circle.map(|at| {
                self.schema.type_name(*at).map_or_else(|| format!("type {at}"), str::to_owned)
            });
            let path = names.collect::<Vec<_>>().join(" -> ").into();
            return Err(GenerateError::Recursive { path });
        }
        let schema = self.schema;
        let ty = schema.typespace.get(at as usize).ok_or_else(|| self.dangling(at, what))?;
        open.push(at);
        let mut below = vec![(ty, 0)];
        while let Some((ty, depth)) = below.pop() {
            if depth > MAX_DEPTH || open.len() > MAX_DEPTH {
                return Err(GenerateError::TooDeep { what: what.into(), limit: MAX_DEPTH });
            }
            match ty {
                ServerType::Ref(at) => self.check_finite(*at, what, open)?,
                _ => below.extend(inner(ty).into_iter().map(|ty| (ty, depth + 1))),
            }
        }
        open.pop();
        self.finite.insert(at);
        Ok(())
    }

    fn dangling(&self, at: u32, what: &str) -> GenerateError {
        GenerateError::Dangling { what: what.into(), at, types: self.schema.typespace.len() }
    }
}

/// The types directly inside another.
fn inner(ty: &ServerType) -> Vec<&ServerType> {
    match ty {
        ServerType::Ref(_) | ServerType::Scalar(_) => Vec::new(),
        ServerType::Array(inner) | ServerType::Option(inner) => vec![inner],
        ServerType::Result(ok, err) => vec![ok, err],
        ServerType::Product(fields) => fields.iter().map(|field| &field.ty).collect(),
        ServerType::Sum(variants) => {
            variants.iter().filter_map(|variant| variant.payload.as_ref()).collect()
        }
    }
}

fn is_tuple(fields: &[ServerField]) -> bool {
    fields.len() <= MAX_TUPLE && fields.iter().all(|field| names::given(&field.name).is_none())
}

/// Name of the one field of a special type.
fn special_field(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Identity => "__identity__",
        Scalar::ConnectionId => "__connection_id__",
        Scalar::Timestamp => "__timestamp_micros_since_unix_epoch__",
        Scalar::TimeDuration => "__time_duration_micros__",
        Scalar::Uuid => "__uuid__",
        _ => "value",
    }
}
