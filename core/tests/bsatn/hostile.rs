//! Inputs that promise more than they hold.

use std::sync::Arc;

use lightlike_core::bsatn::{
    self, Decode, DecodeError, DecodeErrorKind, Encode, Reader, Writer, size,
};

use crate::laws;

/// A type that contains itself, with the code that `#[derive(Bsatn)]` would write.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Leaf(u32),
    Fork(Vec<Self>),
    Wrapped(Box<Self>),
}

impl Encode for Tree {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Leaf(value) => {
                out.tag(0);
                value.encode(out);
            }
            Self::Fork(children) => {
                out.tag(1);
                children.encode(out);
            }
            Self::Wrapped(tree) => {
                out.tag(2);
                tree.encode(out);
            }
        }
    }
}

impl<'de> Decode<'de> for Tree {
    const SIZE: Option<usize> = size::variants(&[u32::SIZE, Vec::<Self>::SIZE, Box::<Self>::SIZE]);

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match reader.tag("Tree")? {
            0 => Decode::decode(reader).map(Self::Leaf),
            1 => Decode::decode(reader).map(Self::Fork),
            2 => Decode::decode(reader).map(Self::Wrapped),
            tag => Err(reader.invalid_tag(tag, "Tree")),
        }
    }
}

/// A value whose memory is far bigger than its encoding.
#[derive(Debug)]
struct Inflated(#[expect(dead_code, reason = "only its size matters")] [u64; 8192]);

impl<'de> Decode<'de> for Inflated {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        reader.tag("Inflated").map(|tag| Self([u64::from(tag); 8192]))
    }
}

fn kind_of<'a, T: Decode<'a>>(bytes: &'a [u8]) -> DecodeErrorKind {
    bsatn::from_slice::<T>(bytes).map(drop).unwrap_err().kind()
}

#[test]
fn types_may_contain_themselves() {
    laws::check(&Tree::Fork(vec![
        Tree::Leaf(1),
        Tree::Wrapped(Box::new(Tree::Leaf(2))),
        Tree::Fork(vec![]),
    ]));
}

#[test]
fn length_reserves_at_most_the_input() {
    // Four billion of these would be more memory than an address space has.
    let bytes = [0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(kind_of::<Vec<Inflated>>(&bytes), DecodeErrorKind::UnexpectedEnd { missing: 1 });

    let honest = bsatn::to_vec(&vec![1u8; 3]).unwrap();
    let values: Vec<Inflated> = bsatn::from_slice(&honest).unwrap();
    assert_eq!(values.len(), 3);
    assert!(values.capacity() <= 4, "{}", values.capacity());
}

#[test]
fn hostile_length_is_refused_before_reading() {
    let bytes = [[0xff; 4], [1; 4]].concat();
    let missing = |size: usize| DecodeErrorKind::UnexpectedEnd { missing: 0xffff_ffff * size - 4 };
    assert_eq!(kind_of::<String>(&bytes), missing(1));
    assert_eq!(kind_of::<Vec<u8>>(&bytes), missing(1));
    assert_eq!(kind_of::<Vec<u64>>(&bytes), missing(8));
    assert_eq!(kind_of::<Vec<(u64, bool)>>(&bytes), missing(9));
    assert_eq!(kind_of::<Vec<[[u8; 28]; 2]>>(&bytes), missing(68));
    assert_eq!(
        kind_of::<Vec<Vec<u8>>>(&bytes),
        DecodeErrorKind::UnexpectedEnd { missing: 0x0101_0101 }
    );
    for skipped in [
        <Vec<u64>>::skip(&mut Reader::new(&bytes)),
        <Vec<(u64, bool)>>::skip(&mut Reader::new(&bytes)),
        <Vec<Option<u64>>>::skip(&mut Reader::new(&bytes)),
        String::skip(&mut Reader::new(&bytes)),
    ] {
        assert!(skipped.is_err());
    }
}

#[test]
fn exact_list_length_reserves_exact_memory() {
    let values: Vec<u64> = (0..1000).collect();
    let bytes = bsatn::to_vec(&values).unwrap();
    assert_eq!(bsatn::from_slice::<Vec<u64>>(&bytes).unwrap().capacity(), 1000);
    let pairs: Vec<(u64, bool)> = values.iter().map(|&value| (value, true)).collect();
    let bytes = bsatn::to_vec(&pairs).unwrap();
    assert_eq!(bsatn::from_slice::<Vec<(u64, bool)>>(&bytes).unwrap().capacity(), 1000);
}

#[test]
fn elements_of_no_bytes_are_counted() {
    let limit = Reader::MAX_EMPTY_ELEMENTS;
    let fits = limit.to_le_bytes();
    assert_eq!(bsatn::from_slice::<Vec<()>>(&fits).unwrap().len(), limit as usize);
    let too_many = (limit + 1).to_le_bytes();
    let most = u32::MAX.to_le_bytes();
    for bytes in [too_many, most] {
        assert_eq!(kind_of::<Vec<()>>(&bytes), DecodeErrorKind::TooManyEmptyElements);
        assert_eq!(kind_of::<Vec<Box<()>>>(&bytes), DecodeErrorKind::TooManyEmptyElements);
        // Skipping them takes no time, whatever their number.
        assert!(<Vec<()>>::skip(&mut Reader::new(&bytes)).is_ok());
        assert!(<Vec<Box<()>>>::skip(&mut Reader::new(&bytes)).is_err());
    }
    // Several lists count together.
    let twice = bsatn::to_vec(&vec![vec![(); limit as usize / 2 + 1]; 2]).unwrap();
    let error = bsatn::from_slice::<Vec<Vec<()>>>(&twice).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot decode `list` at byte 12: more than 65536 elements of no bytes"
    );
}

#[test]
fn nesting_ends_before_the_stack_does() {
    let nested = |levels: u32| {
        let mut bytes = vec![2; levels as usize];
        bytes.extend([0, 9, 0, 0, 0]);
        bytes
    };
    assert!(bsatn::from_slice::<Tree>(&nested(Reader::MAX_DEPTH)).is_ok());
    for levels in [Reader::MAX_DEPTH + 1, 1_000_000] {
        let error = bsatn::from_slice::<Tree>(&nested(levels)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot decode `Box` at byte 65: nested more than 64 levels deep"
        );
        assert!(Tree::skip(&mut Reader::new(&nested(levels))).is_err());
    }
    let lists = [1, 1, 0, 0, 0].repeat(1_000_000);
    assert_eq!(kind_of::<Tree>(&lists), DecodeErrorKind::TooDeep { limit: 64 });
}

#[test]
fn large_boxed_arrays_are_decoded_on_heap() {
    const N: usize = 4 << 20;
    #[derive(Debug, PartialEq)]
    struct Blob(Box<[u8; N]>, Arc<[u16; N]>, Option<Box<[[u8; 64]; N / 64]>>);
    let bytes: Vec<u8> = {
        let list = |len: usize| u32::try_from(len).unwrap().to_le_bytes().to_vec();
        let row = [list(64), vec![3; 64]].concat();
        [list(N), vec![1; N], list(N), vec![2; 2 * N], vec![0], list(N / 64), row.repeat(N / 64)]
            .concat()
    };
    let test = move || {
        let reader = &mut Reader::new(&bytes);
        let blob = Blob(
            Decode::decode(reader).unwrap(),
            Decode::decode(reader).unwrap(),
            Decode::decode(reader).unwrap(),
        );
        assert!(reader.is_empty());
        assert!(blob.0.iter().all(|byte| *byte == 1) && blob.1.iter().all(|byte| *byte == 0x0202));
        assert!(blob.2.is_some_and(|rows| rows.as_flattened().iter().all(|byte| *byte == 3)));
        let shorter = [&bytes[..4], &[0; 9]].concat();
        let error = bsatn::from_slice::<Box<[u8; N]>>(&shorter).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::UnexpectedEnd { .. }), "{error}");
        let other = bsatn::to_vec(&vec![0_u8; 3]).unwrap();
        let expected = DecodeErrorKind::WrongLength { expected: N, found: 3 };
        assert_eq!(bsatn::from_slice::<Arc<[u8; N]>>(&other).unwrap_err().kind(), expected);
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(test);
    thread.unwrap().join().unwrap();
}

#[test]
fn depth_counts_from_current_position() {
    let flat = Tree::Fork(vec![Tree::Wrapped(Box::new(Tree::Leaf(1))); 1000]);
    laws_without_truncation(&flat);
}

fn laws_without_truncation(tree: &Tree) {
    let bytes = bsatn::to_vec(tree).unwrap();
    assert_eq!(bsatn::from_slice::<Tree>(&bytes).as_ref(), Ok(tree));
}
