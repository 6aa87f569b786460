//! A number that says whether two types are the same: for what is kept longer than the program that wrote it.

use super::any::{AnyType, Fields, Shape, Variants};
use super::server::{ServerReducer, ServerSchema};
use super::{FunctionDef, RowDef};
use crate::sats::{ProductDef, SatsType};

/// The fingerprint of a function's arguments: of their names, order and types. What it returns does not count, nor how
/// words are told apart in names, which a server changes.
///
/// The same in every program and every version of this library. Two functions whose arguments differ have different
/// ones, but for one chance in 2^64.
pub fn arguments(def: &FunctionDef) -> u64 {
    let params = ProductDef { name: None, fields: def.params };
    let mut print = Print::new();
    print.ty(SatsType::Product(params).into());
    print.hash
}

/// The [fingerprint](arguments) of the arguments that a server's reducer takes: that of a function of a program's that
/// takes the same. None if they are larger than any that a program would have.
pub fn server_arguments(schema: &ServerSchema, reducer: &ServerReducer) -> Option<u64> {
    let mut print = Print { left: SERVER_TYPES_MAX, depth_left: SERVER_DEPTH_MAX, ..Print::new() };
    print.byte(b'(');
    for param in &reducer.params {
        print.name(param.name.as_deref());
        print.ty(schema.resolve(&param.ty));
    }
    print.byte(b')');
    (!print.gave_up).then_some(print.hash)
}

/// Maximal number of types in one of a server's, each as often as it is met: a few lines of a schema can make more of
/// them than can be counted.
const SERVER_TYPES_MAX: usize = 100_000;
/// Maximal nesting of those.
const SERVER_DEPTH_MAX: usize = 100;

/// The fingerprint of a row: of its columns' names, order and types. Keys and indexes do not count.
pub fn row(def: &RowDef) -> u64 {
    let mut print = Print::new();
    for column in def.columns {
        print.name(Some(column.name));
        print.ty(column.ty.get().into());
    }
    print.hash
}

/// FNV-1a: it only has to tell honest types apart.
struct Print {
    hash: u64,
    /// The named types around what is being looked at: one that contains itself is named and not entered again.
    around: Vec<Named>,
    /// Number of types that may still be looked at, and the nesting that is left.
    left: usize,
    depth_left: usize,
    gave_up: bool,
}

/// Key of a type: its Rust name, or its place in a server's schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Rust(&'static str),
    Server(u32),
}

impl Named {
    fn of(ty: AnyType<'_>) -> Option<Self> {
        let rust = match ty.rust() {
            Some(SatsType::Product(product)) => product.name,
            Some(SatsType::Sum(sum)) => Some(sum.name),
            _ => None,
        };
        rust.map(Self::Rust).or_else(|| ty.reference().map(Self::Server))
    }
}

impl Print {
    fn new() -> Self {
        let (hash, around) = (0xcbf2_9ce4_8422_2325, Vec::new());
        Self { hash, around, left: usize::MAX, depth_left: usize::MAX, gave_up: false }
    }

    fn byte(&mut self, byte: u8) {
        self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
        // Not part of any UTF-8, so that no two lists of texts are the same bytes.
        self.byte(0xff);
    }

    /// `playerName`, `player_name` and `PlayerName` are one name.
    fn name(&mut self, name: Option<&str>) {
        let letters = name.unwrap_or_default().bytes().filter(|letter| *letter != b'_');
        letters.for_each(|letter| self.byte(letter.to_ascii_lowercase()));
        self.byte(0xff);
    }

    fn ty(&mut self, ty: AnyType<'_>) {
        if self.left == 0 || self.depth_left == 0 {
            self.gave_up = true;
            return;
        }
        self.left -= 1;
        self.depth_left -= 1;
        self.shape(ty);
        self.depth_left += 1;
    }

    fn shape(&mut self, ty: AnyType<'_>) {
        match ty.shape() {
            Shape::Array(element) => self.inside("[", [element]),
            Shape::Option(some) => self.inside("?", [some]),
            Shape::Result(ok, err) => self.inside("!", [ok, err]),
            Shape::Product(fields) => self.named(ty, |print| print.fields(fields)),
            Shape::Sum(variants) => self.named(ty, |print| print.variants(variants)),
            // Their names are those of SpacetimeDB.
            Shape::Scalar(scalar) => self.text(&format!("{scalar:?}")),
        }
    }

    fn inside<const N: usize>(&mut self, mark: &str, types: [AnyType<'_>; N]) {
        self.text(mark);
        types.into_iter().for_each(|ty| self.ty(ty));
    }

    fn fields(&mut self, fields: Fields<'_>) {
        self.byte(b'(');
        for (at, ty) in fields.types().enumerate() {
            self.name(fields.name(at));
            self.ty(ty);
        }
        self.byte(b')');
    }

    fn variants(&mut self, variants: Variants<'_>) {
        for tag in 0..variants.len() {
            self.name(variants.name(tag));
            if let Some(payload) = variants.payload(tag).flatten() {
                self.ty(payload);
            }
            self.byte(b'|');
        }
    }

    /// A type's Rust name does not count: the server does not know it, and it may be changed freely.
    fn named(&mut self, ty: AnyType<'_>, contents: impl FnOnce(&mut Self)) {
        let name = Named::of(ty);
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
    use crate::schema::{FieldDef, ProductDef, Sats, TypeRef};

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

    #[test]
    fn word_separators_in_names_do_not_matter() {
        let name = of(&const { [field::<u32>("player_name")] });
        assert_eq!(of(&const { [field::<u32>("playerName")] }), name);
        assert_ne!(of(&const { [field::<u32>("player_names")] }), name);
    }

    struct Tree;

    impl Sats for Tree {
        const TYPE: SatsType = SatsType::Product(ProductDef {
            name: Some("Tree"),
            fields: &[FieldDef { name: Some("children"), ty: TypeRef::of::<Vec<Self>>() }],
        });
    }

    #[test]
    fn a_type_that_contains_itself_has_one() {
        assert_ne!(of(&const { [field::<Tree>("a")] }), of(&const { [field::<Vec<Tree>>("a")] }));
    }
}
