//! Comparing the cache with the server, on both servers.

use lightlike::prelude::*;
use lightlike_tests::conformance::columns::OneU8;
use lightlike_tests::conformance::keys::{InsertPkU32, PkU32, UpdatePkU32};
use lightlike_tests::conformance::on_both_servers;

#[tokio::test]
async fn what_is_here_is_what_the_server_has() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let writer = target.connect().await;
        for key in 0..20 {
            writer.call(InsertPkU32 { key, data: 0 }).await.unwrap();
        }
        let _all = db.subscribe((PkU32::all(), OneU8::all())).await.unwrap();
        let _again = db.subscribe(PkU32::all()).await.unwrap();
        let mut transactions = db.transactions();
        // Compared while rows change.
        for data in 1..20 {
            writer.call(UpdatePkU32 { key: 3, data }).forget();
            if data % 5 == 0 {
                let verified = db.verify().await.unwrap();
                assert_eq!((verified.sets, verified.rows), (2, 40));
                assert_eq!(verified.drifts, []);
            }
        }
        // Nobody hears of it, and what comes later still comes.
        while db.table::<PkU32>().get(&3).is_none_or(|row| row.data != 19) {
            let changes = transactions.next().await.unwrap().unwrap();
            assert_eq!(changes.of::<PkU32>().count(), 1);
        }
        db.disconnect().await;
        assert!(db.verify().await.is_err());
    })
    .await;
}
