//! A number that says whether two types are the same: for what is kept longer than the program that wrote it.

use super::sats::{FieldDef, SatsType, TypeRef};
use super::{FunctionDef, RowDef};

/// The fingerprint of a function's arguments: of their names, order and types. What it returns does not count.
///
/// The same in every program and every version of this library. Two functions whose arguments differ have different
/// ones, but for one chance in 2^64.
pub fn arguments(def: &FunctionDef) -> u64 {
    let mut print = Print::new();
    print.fields(def.params);
    print.hash
}

/// The fingerprint of a row: of its columns' names, order and types. Keys and indexes do not count.
pub fn row(def: &RowDef) -> u64 {
    let mut print = Print::new();
    for column in def.columns {
        print.field(Some(column.name), column.ty);
    }
    print.hash
}

/// FNV-1a: it only has to tell honest types apart.
struct Print {
    hash: u64,
    /// The named types around what is being looked at: one that contains itself is named and not entered again.
    around: Vec<&'static str>,
}

impl Print {
    fn new() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, around: Vec::new() }
    }

    fn byte(&mut self, byte: u8) {
        self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
        // Not part of any UTF-8, so that no two lists of texts are the same bytes.
        self.byte(0xff);
    }

    fn field(&mut self, name: Option<&str>, ty: TypeRef) {
        self.text(name.unwrap_or_default());
        self.ty(&ty.get());
    }

    fn fields(&mut self, fields: &[FieldDef]) {
        self.byte(b'(');
        fields.iter().for_each(|field| self.field(field.name, field.ty));
        self.byte(b')');
    }

    fn ty(&mut self, ty: &SatsType) {
        match ty {
            SatsType::Array(element) => self.inside("[", [*element]),
            SatsType::Option(some) => self.inside("?", [*some]),
            SatsType::Result(ok, err) => self.inside("!", [*ok, *err]),
            SatsType::Product(product) => {
                self.named(product.name, |print| print.fields(product.fields));
            }
            SatsType::Sum(sum) => self.named(Some(sum.name), |print| {
                for variant in sum.variants {
                    print.text(variant.name);
                    if let Some(payload) = variant.payload {
                        print.ty(&payload.get());
                    }
                    print.byte(b'|');
                }
            }),
            // Their names are those of SpacetimeDB.
            simple => self.text(&format!("{simple:?}")),
        }
    }

    fn inside<const N: usize>(&mut self, mark: &str, types: [TypeRef; N]) {
        self.text(mark);
        types.iter().for_each(|ty| self.ty(&ty.get()));
    }

    /// A type's Rust name does not count: the server does not know it, and it may be changed freely.
    fn named(&mut self, name: Option<&'static str>, contents: impl FnOnce(&mut Self)) {
        match name.and_then(|name| self.around.iter().rposition(|around| *around == name)) {
            Some(at) => self.text(&format!("^{}", self.around.len() - at)),
            None => {
                self.around.extend(name);
                contents(self);
                if name.is_some() {
                    self.around.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ProductDef, Sats};

    fn of(params: &'static [FieldDef]) -> u64 {
        arguments(&FunctionDef {
            name: "f",
            params,
            returns: TypeRef::of::<()>(),
            error: None,
            idempotent: false,
        })
    }

    const fn field<T: Sats + ?Sized>(name: &'static str) -> FieldDef {
        FieldDef { name: Some(name), ty: TypeRef::of::<T>() }
    }

    #[test]
    fn names_order_and_types_count() {
        let different = [
            of(&[]),
            of(&const { [field::<u32>("a")] }),
            of(&const { [field::<u64>("a")] }),
            of(&const { [field::<u32>("b")] }),
            of(&const { [field::<u32>("a"), field::<u32>("b")] }),
            of(&const { [field::<u32>("b"), field::<u32>("a")] }),
            of(&const { [field::<Option<u32>>("a")] }),
            of(&const { [field::<Vec<u32>>("a")] }),
            of(&const { [field::<(u32,)>("a")] }),
        ];
        for (at, one) in different.iter().enumerate() {
            assert!(!different[at + 1..].contains(one), "{at}");
        }
        assert_eq!(of(&const { [field::<u32>("a")] }), different[1]);
    }

    #[test]
    fn it_is_the_same_in_every_version() {
        assert_eq!(
            of(&const { [field::<String>("title"), field::<Vec<u8>>("body")] }),
            12_452_980_647_322_948_444
        );
    }

    struct Tree;

    impl Sats for Tree {
        const TYPE: SatsType = SatsType::Product(ProductDef {
            name: Some("Tree"),
            fields: &[FieldDef { name: Some("children"), ty: TypeRef::of::<Vec<Tree>>() }],
        });
    }

    #[test]
    fn a_type_that_contains_itself_has_one() {
        assert_ne!(of(&const { [field::<Tree>("a")] }), of(&const { [field::<Vec<Tree>>("a")] }));
    }
}
