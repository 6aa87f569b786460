//! Tuples: their fields in order. The unit type: nothing.

use crate::bsatn::{Decode, DecodeError, Encode, Reader, Writer, size, unknown};
use crate::sats::{FieldDef, ProductDef, Sats, SatsType, TypeRef};

impl Encode for () {
    #[inline]
    fn encode(&self, _: &mut Writer) {}

    #[inline]
    fn matches(&self, _: &mut Reader<'_>) -> bool {
        true
    }
}

impl<'de> Decode<'de> for () {
    const SIZE: Option<usize> = Some(0);

    #[inline]
    fn decode(_: &mut Reader<'de>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

impl Sats for () {
    const TYPE: SatsType = SatsType::Product(ProductDef { name: None, fields: &[] });
}

/// What the compiler says of a tuple in which an open value cannot be told from what stands behind it.
const OPEN_FIELD: &str = "behind an enum that keeps unknown variants with their values (`UnknownVariant`) stands something \
    whose size is not constant; put the enum last, or keep their tags alone: `Other(u8)`";

macro_rules! tuples {
    ($(($($field:ident $at:tt),+),)*) => {$(
        impl<$($field: Encode),+> Encode for ($($field,)+) {
            #[inline]
            fn encode(&self, out: &mut Writer) {
                $(self.$at.encode(out);)+
            }

            #[inline]
            fn matches(&self, reader: &mut Reader<'_>) -> bool {
                $(self.$at.matches(reader))&&+
            }
        }

        impl<'de, $($field: Decode<'de>),+> Decode<'de> for ($($field,)+) {
            const SIZE: Option<usize> = size::sum(&[$($field::SIZE),+]);
            const OPEN: bool = size::any(&[$($field::OPEN),+]);

            #[inline]
            fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
                match Self::SIZE {
                    Some(size) => {
                        let mut fields = reader.fixed(size, "tuple")?;
                        Ok(($($field::decode(&mut fields)?,)+))
                    }
                    None => {
                        const { assert!(size::ends(&[$($field::OPEN),+], &[$($field::SIZE),+]), "{}", OPEN_FIELD) };
                        let sizes = const { &[$($field::SIZE),+] };
                        Ok(($(unknown::field::<$field>(reader, sizes, $at)?,)+))
                    }
                }
            }

            #[inline]
            fn skip(reader: &mut Reader<'de>) -> Result<(), DecodeError> {
                match Self::SIZE {
                    Some(size) => reader.bytes(size, "tuple").map(drop),
                    None => {
                        let sizes = const { &[$($field::SIZE),+] };
                        $(unknown::skip_field::<$field>(reader, sizes, $at)?;)+
                        Ok(())
                    }
                }
            }
        }

        impl<$($field: Sats),+> Sats for ($($field,)+) {
            const TYPE: SatsType = SatsType::Product(ProductDef {
                name: None,
                fields: &[$(FieldDef { name: None, ty: TypeRef::of::<$field>() }),+],
            });
        }
    )*};
}

tuples! {
    (A 0),
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11),
}
