//! Large messages: one row, many rows, every compression, and what happens to them later.

use lightlike::connection::Compression;
use lightlike::prelude::*;
use lightlike_tests::conformance::{next, on_both_servers};

use crate::module::*;

const COMPRESSIONS: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Brotli];

/// Official scenario 44.
#[tokio::test]
async fn clients_of_every_compression_receive_the_same_row() {
    on_both_servers(async |target| {
        let mut clients = Vec::new();
        for compression in COMPRESSIONS {
            let db = target.builder().compression(compression).connect().await.unwrap();
            db.subscribe(VecU8::all()).await.unwrap().keep();
            let inserts = db.table::<VecU8>().inserts();
            clients.push((db, inserts));
        }
        let value: Vec<u8> = (0..1 << 15).map(|i: u32| (i % 251) as u8).collect();
        clients[0].0.call(InsertVecU8 { value: value.clone() }).await.unwrap();
        for (_, inserts) in &mut clients {
            assert_eq!(next(inserts).await.row.value, value);
        }
    })
    .await;
}

#[tokio::test]
async fn thousands_of_rows_arrive_with_every_compression() {
    on_both_servers(async |target| {
        let maker = target.connect().await;
        maker.call(insert_many(2_000, 300)).await.unwrap();
        maker.call(insert_many_points(5_000)).await.unwrap();
        for compression in COMPRESSIONS {
            let db = target.builder().compression(compression).connect().await.unwrap();
            let _rows = db.subscribe((Bulk::all(), BulkPoint::all())).await.unwrap();
            let view = db.read();
            let rows = view.table::<Bulk>();
            assert_eq!(rows.len(), 2_000, "{compression:?}");
            for id in 0..2_000 {
                let row = rows.get(&id).unwrap();
                assert_eq!((row.bucket, &*row.text), ((id % 16) as u32, &*text(id, 300)));
            }
            let points = view.table::<BulkPoint>().range(BulkPoint::X, ..);
            assert!(points.cloned().eq((0..5_000).map(point)), "{compression:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn many_rows_change_and_go_in_one_transaction() {
    on_both_servers(async |target| {
        let db = target.builder().compression(Compression::Gzip).connect().await.unwrap();
        let _rows = db.subscribe((Bulk::all(), BulkPoint::all())).await.unwrap();
        let mut whole = db.transactions();
        db.call(insert_many(1_000, 100)).await.unwrap();
        assert_eq!(next(&mut whole).await.of::<Bulk>().count(), 1_000);
        assert_eq!(db.table::<Bulk>().range(Bulk::BUCKET, 3..=3).count(), 63);

        db.call(update_many(1_000)).await.unwrap();
        let changes = next(&mut whole).await;
        let updated = changes.of::<Bulk>().filter(|change| {
            matches!(change, RowChange::Update { old, new } if old.id == new.id && old.bucket + 1 == new.bucket)
        });
        assert_eq!(updated.count(), 1_000);
        let first = db.table::<Bulk>().range(Bulk::BUCKET, ..).next().unwrap();
        assert_eq!(first.bucket, 1);

        db.call(delete_many(400)).await.unwrap();
        let changes = next(&mut whole).await;
        assert!(changes.of::<Bulk>().all(|change| matches!(change, RowChange::Delete(_))));
        assert_eq!(db.table::<Bulk>().len(), 600);

        db.call(insert_many_points(3_000)).await.unwrap();
        db.call(delete_many_points(1_000)).await.unwrap();
        assert!(db.table::<BulkPoint>().range(BulkPoint::X, ..).eq((0..2_000).map(point)));
    })
    .await;
}

#[tokio::test]
async fn a_row_of_a_megabyte_comes_whole() {
    on_both_servers(async |target| {
        let db = target.builder().compression(Compression::Brotli).connect().await.unwrap();
        let _rows = db.subscribe(Bulk::all()).await.unwrap();
        db.call(insert_many(1, 1 << 20)).await.unwrap();
        assert_eq!(db.table::<Bulk>().get(&0).unwrap().text, text(0, 1 << 20));
        let value = vec![7; 1 << 20];
        let _bytes = db.subscribe(VecU8::all()).await.unwrap();
        db.call(InsertVecU8 { value: value.clone() }).await.unwrap();
        assert!(db.table::<VecU8>().iter().eq([VecU8 { value }]));
    })
    .await;
}
