//! Declarations from before the module's enums got further variants: `#[bsatn(other)]`.

use lightlike::bsatn::{Encode, UnknownVariant, to_vec};
use lightlike::prelude::*;
use lightlike_tests::conformance::on_both_servers;

use crate::module::*;

#[derive(Bsatn, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OlderSimpleEnum {
    Zero,
    #[bsatn(other)]
    Other(u8),
}

#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table(name = "indexed_simple_enum")]
struct OlderIndexed {
    #[index(btree)]
    n: OlderSimpleEnum,
}

#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table(name = "vec_simple_enum")]
struct OlderList {
    value: Vec<OlderSimpleEnum>,
}

#[derive(Bsatn, Clone, Debug, PartialEq)]
enum OlderEnumWithPayload {
    U8(u8),
    #[bsatn(other)]
    Other(UnknownVariant),
}

#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table(name = "one_enum_with_payload")]
struct OlderPayload {
    value: OlderEnumWithPayload,
}

fn same(a: &impl Encode, b: &impl Encode) -> bool {
    to_vec(a).unwrap() == to_vec(b).unwrap()
}

#[tokio::test]
async fn unknown_variants_come_and_go_with_their_rows() {
    on_both_servers(async |target| {
        let (db, older) = (target.connect().await, target.connect().await);
        let set = older.subscribe(OlderIndexed::all()).await.unwrap();
        let unknown = OlderIndexed { n: OlderSimpleEnum::Other(2) };
        let mut deleted = older.table::<OlderIndexed>().deletes();
        let mut inserted = older.table::<OlderIndexed>().inserts();
        db.call(insert_into_indexed_simple_enum(SimpleEnum::Two)).await.unwrap();
        let Some(Ok(Inserted { row, .. })) = inserted.next().await else { panic!("no row came") };
        assert_eq!(row, unknown);
        let range =
            older.table::<OlderIndexed>().range(OlderIndexed::N, OlderSimpleEnum::Other(0)..);
        assert_eq!(range.collect::<Vec<_>>(), std::slice::from_ref(&unknown));
        // The row has no key: the delete finds it by its bytes.
        db.call(update_indexed_simple_enum(SimpleEnum::Two, SimpleEnum::Zero)).await.unwrap();
        let Some(Ok(Deleted { row, .. })) = deleted.next().await else { panic!("no row left") };
        assert_eq!(row, unknown);
        let rows: Vec<_> = older.table::<OlderIndexed>().iter().collect();
        assert_eq!(rows, [OlderIndexed { n: OlderSimpleEnum::Zero }]);
        // The client's rows are the server's.
        assert_eq!(older.verify().await.unwrap().drifts, []);
        set.unsubscribe().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn unknown_variants_keep_their_values_and_other_tables_of_the_set() {
    on_both_servers(async |target| {
        let (db, older) = (target.connect().await, target.connect().await);
        let queries = (OlderPayload::all(), OlderList::all(), OneU64::all());
        let _set = older.subscribe(queries).await.unwrap();
        let values = [
            EnumWithPayload::U8(1),
            EnumWithPayload::Str("text".into()),
            EnumWithPayload::SimpleEnums(vec![SimpleEnum::One, SimpleEnum::Two]),
            EnumWithPayload::Nothing,
        ];
        let mut inserted = older.table::<OlderPayload>().inserts();
        for value in values {
            db.call(InsertOneEnumWithPayload { value: value.clone() }).await.unwrap();
            let Some(Ok(Inserted { row, .. })) = inserted.next().await else { panic!("no row") };
            assert!(same(&row.value, &value), "{row:?} is not {value:?}");
        }
        let mut lists = older.table::<OlderList>().inserts();
        let all = vec![SimpleEnum::Two, SimpleEnum::Zero, SimpleEnum::One];
        db.call(InsertVecSimpleEnum { value: all.clone() }).await.unwrap();
        let Some(Ok(Inserted { row, .. })) = lists.next().await else { panic!("no row") };
        assert!(same(&row.value, &all), "{row:?}");
        assert_eq!(older.table::<OlderPayload>().len(), 4);
        assert_eq!(older.verify().await.unwrap().drifts, []);
    })
    .await;
}

/// Without `other` one unknown variant ends the set, and the error says how it could be kept.
#[tokio::test]
async fn refused_variant_ends_the_set_and_names_the_remedy() {
    #[derive(Bsatn, Clone, Copy, Debug, PartialEq)]
    enum Zero {
        Zero,
    }
    #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
    #[table(name = "indexed_simple_enum")]
    struct Closed {
        n: Zero,
    }
    on_both_servers(async |target| {
        let (db, older) = (target.connect().await, target.connect().await);
        let set = older.subscribe((Closed::all(), OneU64::all())).await.unwrap();
        db.call(insert_into_indexed_simple_enum(SimpleEnum::One)).await.unwrap();
        let error = set.ended().await.unwrap_err();
        let text = format!("{error:?}");
        assert!(text.contains("`Zero`") && text.contains("#[bsatn(other)]"), "{text}");
    })
    .await;
}
