//! Values: of Rust types, and of types known only at run time.

use core::fmt::Debug;

use lightlike_core::bsatn::{Decode, DecodeErrorKind, Encode, Reader, to_vec};
use lightlike_core::schema::{Sats, SatsValue};
use lightlike_core::types::{
    ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid,
};

use crate::tree::Tree;

type Integers = ((u8, i8, u16, i16, u32, i32), (u64, i64, u128, i128, U256, I256));
type Special = (Identity, ConnectionId, Timestamp, TimeDuration, ScheduleAt, Uuid);
type Sums = (Option<u8>, Option<String>, Result<u32, String>, Option<Option<bool>>);
type Lists = (Vec<u8>, Vec<bool>, Vec<u16>, Vec<String>, Vec<Vec<u64>>, Vec<()>);
type Arrays = ([u8; 5], [u32; 3], [String; 2], [[u8; 2]; 2]);

/// Checks one type.
type Check = fn(&[u8]);

/// Checks that the first byte of an input chooses from.
const TYPED: [Check; 8] = [
    check::<Integers>,
    check::<Special>,
    check::<Sums>,
    check::<Lists>,
    check::<Arrays>,
    check::<(bool, f32, f64, String, ())>,
    check::<Tree>,
    check::<Vec<Tree>>,
];

/// As [`TYPED`], for the types that a run-time type can stand for.
const DYNAMIC: [Check; 7] = [
    compare::<Integers>,
    compare::<Special>,
    compare::<Sums>,
    compare::<Lists>,
    compare::<(bool, f32, f64, String, ())>,
    compare::<Tree>,
    compare::<Vec<Tree>>,
];

/// Values of Rust types.
pub(crate) fn typed(input: &[u8]) {
    choose(&TYPED, input);
}

/// Values of types known at run time.
pub(crate) fn dynamic(input: &[u8]) {
    choose(&DYNAMIC, input);
}

fn choose(checks: &[Check], input: &[u8]) {
    if let Some((choice, bytes)) = input.split_first() {
        checks[usize::from(*choice) % checks.len()](bytes);
    }
}

/// Checks that what decodes encodes to the same bytes, is recognised in them, and is skipped by as many.
fn check<T: Encode + for<'a> Decode<'a>>(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let decoded = T::decode(&mut reader);
    let mut skipping = Reader::new(bytes);
    let skipped = T::skip(&mut skipping);
    let Ok(value) = decoded else { return };

    let encoded = &bytes[..reader.offset()];
    assert_eq!(to_vec(&value).as_deref(), Ok(encoded), "another encoding");
    assert_eq!(skipped.map(|()| skipping.offset()), Ok(encoded.len()), "skipped otherwise");
    if let Some(size) = T::SIZE {
        assert_eq!(encoded.len(), size, "another size");
    }
    let mut matching = Reader::new(bytes);
    assert!(value.matches(&mut matching), "not recognised");
    assert_eq!(matching.offset(), encoded.len(), "recognised too much or too little");
}

/// A value of a run-time type is accepted where the Rust type's is, and means the same bytes.
fn compare<T: Sats + Encode + for<'a> Decode<'a> + Debug>(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let typed = T::decode(&mut reader);
    let mut dynamic_reader = Reader::new(bytes);
    let dynamic = SatsValue::decode(T::TYPE, &mut dynamic_reader);
    match (typed, dynamic) {
        (Ok(_), Ok(value)) => {
            assert_eq!(dynamic_reader.offset(), reader.offset(), "read another length");
            assert_eq!(
                to_vec(&value).as_deref(),
                Ok(&bytes[..reader.offset()]),
                "another encoding"
            );
        }
        (Err(_), Err(_)) => {}
        // How deep is too deep differs: see `SatsValue::MAX_DEPTH`.
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => {
            let too_deep = matches!(error.kind(), DecodeErrorKind::TooDeep { .. });
            assert!(too_deep, "only one of them decodes: {error}");
        }
    }
}
