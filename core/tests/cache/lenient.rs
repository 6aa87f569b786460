//! Rows of a type that knows the first columns only.

use lightlike_core::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use lightlike_core::cache::{Part, SetId};
use lightlike_core::schema::{
    HasKey, IndexVisitor, Row, RowDef, Sats, SatsType, Table, TableDef, TableKind,
};
use lightlike_core::wire::RowList;

use super::support::*;

/// Player as the server had it before it got more columns. `KEYED` says whether its first column is its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Short<const KEYED: bool>(u64, String);

impl<const KEYED: bool> Encode for Short<KEYED> {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        self.0.matches(reader) && self.1.matches(reader)
    }
}

impl<'a, const KEYED: bool> Decode<'a> for Short<KEYED> {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self(Decode::decode(reader)?, Decode::decode(reader)?))
    }
}

impl<const KEYED: bool> Sats for Short<KEYED> {
    const TYPE: SatsType = SatsType::U64;
}

impl<const KEYED: bool> Row for Short<KEYED> {
    const DEF: RowDef = RowDef { name: "Short", columns: &[], lenient: true };

    type Key = u64;

    fn key(&self) -> &u64 {
        &self.0
    }

    fn decode_key(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
        u64::decode(reader)
    }

    fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
}

impl<const KEYED: bool> Table for Short<KEYED> {
    type Row = Self;

    const DEF: TableDef = TableDef {
        name: "short",
        kind: TableKind::Table,
        row: <Self as Row>::DEF,
        primary_key: if KEYED { Some(0) } else { None },
        unique: &[],
        indexes: &[],
    };
}

impl HasKey for Short<true> {}

fn rows(rows: &[(u64, &str, u32)]) -> RowList {
    RowList::from_rows(rows.iter().map(|(id, name, more)| bytes(&(*id, (*name).to_owned(), *more))))
}

fn come(set: SetId, new: &[(u64, &str, u32)]) -> Part {
    Part::Inserts { set, table: "short".into(), rows: rows(new) }
}

fn go(set: SetId, old: &[(u64, &str, u32)]) -> Part {
    Part::Deletes { set, table: "short".into(), rows: rows(old) }
}

#[test]
fn keyed_row_updates_by_known_columns() {
    type Keyed = Short<true>;
    let mut cache = cache();
    apply(&mut cache, [come(A, &[(1, "ada", 7), (2, "grace", 7)])]);
    // Those that were there before the type are taken over too.
    cache.register::<Keyed>().unwrap();
    let tx = apply(&mut cache, [come(A, &[(1, "ada", 8)]), go(A, &[(1, "ada", 7)])]);
    assert_eq!(changes::<Keyed>(&tx), [], "nothing that anybody can see has changed");
    let parts =
        [come(A, &[(1, "ida", 8), (3, "kay", 0)]), go(A, &[(1, "ada", 8), (2, "grace", 7)])];
    let mut seen = changes::<Keyed>(&apply(&mut cache, parts));
    seen.sort();
    let row = |id, name: &str| Short(id, name.into());
    assert_eq!(
        seen,
        [
            Seen::Insert(row(3, "kay")),
            Seen::Update(row(1, "ada"), row(1, "ida")),
            Seen::Delete(row(2, "grace")),
        ]
    );
    let view = cache.reader().read();
    assert_eq!(view.table::<Keyed>().unwrap().get(&1), Some(&row(1, "ida")));
}

#[test]
fn keyless_rows_that_look_the_same_are_counted() {
    type Keyless = Short<false>;
    let mut cache = cache();
    cache.register::<Keyless>().unwrap();
    apply(&mut cache, [come(A, &[(1, "ada", 7), (1, "ada", 8)]), come(B, &[(1, "ada", 7)])]);
    let ada = || Short(1, "ada".into());
    assert_eq!(super::support::rows::<Keyless>(&cache), [ada()]);
    assert_eq!(changes::<Keyless>(&apply(&mut cache, [go(A, &[(1, "ada", 8)])])), []);
    assert_eq!(changes::<Keyless>(&apply(&mut cache, [go(B, &[(1, "ada", 7)])])), []);
    let tx = apply(&mut cache, [go(A, &[(1, "ada", 7)])]);
    assert_eq!(changes::<Keyless>(&tx), [Seen::Delete(ada())]);
}

#[test]
fn truncated_lenient_rows_are_still_errors() {
    let mut cache = cache();
    cache.register::<Short<true>>().unwrap();
    let part =
        Part::Inserts { set: A, table: "short".into(), rows: RowList::from_rows([vec![1, 0, 0]]) };
    let tx = apply(&mut cache, [part]);
    assert_eq!(tx.failed_sets().len(), 1);
}
