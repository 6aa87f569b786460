//! Properties of every value of every type.

use std::fmt::Debug;

use lightlike_core::bsatn::{self, Decode, DecodeErrorKind, Encode, Reader};

/// Checks that `value` survives its encoding, that `skip` and `matches` agree with it, that its size is the promised one,
/// and that each of its beginnings is too short.
///
/// Values are compared by their encodings too, which tells NaNs apart.
pub(crate) fn check<T>(value: &T)
where
    T: Encode + for<'a> Decode<'a> + Debug,
{
    let bytes = bsatn::to_vec(value).unwrap();
    if let Some(size) = T::SIZE {
        assert_eq!(bytes.len(), size, "{value:?}");
    }

    let decoded: T = bsatn::from_slice(&bytes).unwrap();
    assert_eq!(bsatn::to_vec(&decoded).unwrap(), bytes, "{value:?}");

    let with_more = [&bytes[..], b"more"].concat();
    let mut reader = Reader::new(&with_more);
    T::skip(&mut reader).unwrap();
    assert_eq!(reader.rest(), b"more", "{value:?}");
    let mut reader = Reader::new(&with_more);
    assert!(value.matches(&mut reader), "{value:?}");
    assert_eq!(reader.rest(), b"more", "{value:?}");

    for len in 0..bytes.len() {
        let beginning = &bytes[..len];
        let error = bsatn::from_slice::<T>(beginning).map(drop).unwrap_err();
        let kind = error.kind();
        assert!(matches!(kind, DecodeErrorKind::UnexpectedEnd { missing: 1.. }), "{error}");
        assert!(error.offset() <= len, "{error}");
        assert!(T::skip(&mut Reader::new(beginning)).is_err(), "{value:?} of {len} bytes");
        assert!(!value.matches(&mut Reader::new(beginning)), "{value:?} of {len} bytes");
    }
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 0x10;
        assert!(!value.matches(&mut Reader::new(&other)), "{value:?} with another byte {at}");
    }
}
