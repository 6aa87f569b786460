//! Two types, side by side.

use std::collections::BTreeSet;

use super::named;
use crate::schema::any::{AnyType, Fields, Shape, Variants};
use crate::schema::server::Named;
use crate::schema::{SatsType, UnknownVariants};

/// Returns `true` if two names differ at most in how words are told apart, which the server changes.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    let letters = |name: &str| -> Vec<char> {
        name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
    };
    letters(a) == letters(b)
}

/// The first difference of two types: nothing where they are the same, and an empty text where their outermost level
/// differs, which the types' own names show. What lies deeper is named.
pub(super) fn difference<'n>(
    ours: SatsType,
    theirs: AnyType<'_>,
    name: &dyn Fn(u32) -> Option<&'n str>,
) -> Option<String> {
    let mut walk = Walk { name, path: Vec::new(), seen: BTreeSet::new() };
    let (ours, theirs) = walk.types(ours.into(), theirs)?;
    Some(match &walk.path[..] {
        [] => String::new(),
        path => format!("; in {}: server has {theirs}, struct has {ours}", path.join(".")),
    })
}

/// Goes through two types side by side.
struct Walk<'w, 'n> {
    name: &'w dyn Fn(u32) -> Option<&'n str>,
    /// Current path; that of the difference once one is found.
    path: Vec<String>,
    /// Types that are being compared, or were: a type may contain itself.
    seen: BTreeSet<(u32, &'static str)>,
}

/// Ours and theirs, as text.
type Sides = (String, String);

impl Walk<'_, '_> {
    fn types(&mut self, ours: AnyType<'_>, theirs: AnyType<'_>) -> Option<Sides> {
        if let (Some(at), Some(name)) = (theirs.reference(), rust_name(ours))
            && !self.seen.insert((at, name))
        {
            return None;
        }
        match (ours.shape(), theirs.shape()) {
            (Shape::Scalar(a), Shape::Scalar(b)) if a == b => None,
            (Shape::Array(a), Shape::Array(b)) | (Shape::Option(a), Shape::Option(b)) => {
                self.types(a, b)
            }
            (Shape::Result(ok_a, err_a), Shape::Result(ok_b, err_b)) => {
                self.types(ok_a, ok_b).or_else(|| self.types(err_a, err_b))
            }
            (Shape::Product(a), Shape::Product(b)) if a.len() == b.len() => self.products(a, b),
            (Shape::Sum(a), Shape::Sum(b)) if a.len() == b.len() || keeps_unknown(a, b) => {
                self.sums(a, b).or_else(|| self.unknown(a, b))
            }
            // Whether they have as many fields or variants is not seen from their names.
            (Shape::Product(a), Shape::Product(b)) => Some(self.counts("field", a.len(), b.len())),
            (Shape::Sum(a), Shape::Sum(b)) => Some(self.counts("variant", a.len(), b.len())),
            _ => Some((self.text(ours), self.text(theirs))),
        }
    }

    fn products(&mut self, a: Fields<'_>, b: Fields<'_>) -> Option<Sides> {
        for (at, (a_ty, b_ty)) in a.types().zip(b.types()).enumerate() {
            let (a_name, b_name) = (a.name(at), b.name(at));
            let step = b_name.or(a_name).map_or_else(|| at.to_string(), str::to_owned);
            self.path.push(step);
            if let (Some(a), Some(b)) = (a_name, b_name)
                && !same_name(a, b)
            {
                return Some((named(Some(a), self.text(a_ty)), named(Some(b), self.text(b_ty))));
            }
            if let Some(sides) = self.types(a_ty, b_ty) {
                return Some(sides);
            }
            self.path.pop();
        }
        None
    }

    fn sums(&mut self, a: Variants<'_>, b: Variants<'_>) -> Option<Sides> {
        for tag in 0..a.len() {
            let (a_name, b_name) = (a.name(tag), b.name(tag));
            let step = b_name.or(a_name).map_or_else(|| tag.to_string(), str::to_owned);
            self.path.push(step);
            if let (Some(a), Some(b)) = (a_name, b_name)
                && !same_name(a, b)
            {
                return Some((a.to_owned(), b.to_owned()));
            }
            let sides = match (a.payload(tag).flatten(), b.payload(tag).flatten()) {
                (None, None) => None,
                (Some(a), Some(b)) => self.types(a, b),
                (a, b) => {
                    let unit = || "no value".to_owned();
                    let a = a.map_or_else(unit, |a| self.text(a));
                    Some((a, b.map_or_else(unit, |b| self.text(b))))
                }
            };
            if sides.is_some() {
                return sides;
            }
            self.path.pop();
        }
        None
    }

    /// The first variant of theirs that ours does not know and cannot keep.
    fn unknown(&mut self, a: Variants<'_>, b: Variants<'_>) -> Option<Sides> {
        if a.unknown() != UnknownVariants::Tag {
            return None;
        }
        let (tag, payload) =
            (a.len()..b.len()).find_map(|tag| Some((tag, b.payload(tag).flatten()?)))?;
        self.path.push(b.name(tag).map_or_else(|| tag.to_string(), str::to_owned));
        Some(("an `other` that keeps no value".to_owned(), self.text(payload)))
    }

    fn counts(&mut self, what: &str, a: usize, b: usize) -> Sides {
        if self.path.is_empty() {
            self.path.push("it".to_owned());
        }
        let count = |count| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        (count(a), count(b))
    }

    fn text(&self, ty: AnyType<'_>) -> String {
        match (ty.rust(), ty.as_server()) {
            (Some(ty), _) => ty.to_string(),
            (_, Some(ty)) => Named(ty, self.name).to_string(),
            (None, None) => String::new(),
        }
    }
}

/// Whether `b` has further variants, and `a` keeps those.
fn keeps_unknown(a: Variants<'_>, b: Variants<'_>) -> bool {
    a.unknown() != UnknownVariants::Refused && a.len() < b.len()
}

/// The name of a struct or an enum.
fn rust_name(ty: AnyType<'_>) -> Option<&'static str> {
    match ty.rust()? {
        SatsType::Product(product) => product.name,
        SatsType::Sum(sum) => Some(sum.name),
        _ => None,
    }
}
