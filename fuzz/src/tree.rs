//! A type that contains itself, with an encoding as the derive would make it.

use lightlike_core::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use lightlike_core::schema::{Sats, SatsType, SumDef, TypeRef, UnknownVariants, VariantDef};

/// Nests through boxes, lists and options: in every way that a value can be deep.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Tree {
    Leaf,
    Text(String),
    Number(u64),
    Boxed(Box<Self>),
    Branches(Vec<Self>),
    Perhaps(Option<Box<Self>>),
    Either(Result<Box<Self>, String>),
    Pair((Box<Self>, Box<Self>)),
}

impl Encode for Tree {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Leaf => out.tag(0),
            Self::Text(text) => tagged(1, text, out),
            Self::Number(number) => tagged(2, number, out),
            Self::Boxed(tree) => tagged(3, tree, out),
            Self::Branches(trees) => tagged(4, trees, out),
            Self::Perhaps(tree) => tagged(5, tree, out),
            Self::Either(either) => tagged(6, either, out),
            Self::Pair(pair) => tagged(7, pair, out),
        }
    }
}

fn tagged(tag: u8, payload: &impl Encode, out: &mut Writer) {
    out.tag(tag);
    payload.encode(out);
}

impl<'de> Decode<'de> for Tree {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match reader.tag("Tree")? {
            0 => Ok(Self::Leaf),
            1 => Decode::decode(reader).map(Self::Text),
            2 => Decode::decode(reader).map(Self::Number),
            3 => Decode::decode(reader).map(Self::Boxed),
            4 => Decode::decode(reader).map(Self::Branches),
            5 => Decode::decode(reader).map(Self::Perhaps),
            6 => Decode::decode(reader).map(Self::Either),
            7 => Decode::decode(reader).map(Self::Pair),
            tag => Err(reader.invalid_tag(tag, "Tree")),
        }
    }
}

impl Sats for Tree {
    const TYPE: SatsType = SatsType::Sum(SumDef {
        name: "Tree",
        variants: &[
            VariantDef { name: "leaf", payload: None },
            variant::<String>("text"),
            variant::<u64>("number"),
            variant::<Self>("boxed"),
            variant::<Vec<Self>>("branches"),
            variant::<Option<Self>>("perhaps"),
            variant::<Result<Self, String>>("either"),
            variant::<(Self, Self)>("pair"),
        ],
        unknown: UnknownVariants::Refused,
    });
}

const fn variant<T: Sats>(name: &'static str) -> VariantDef {
    VariantDef { name, payload: Some(TypeRef::of::<T>()) }
}
