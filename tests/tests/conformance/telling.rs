//! How stories are told, itself: one that fails is said to have failed, and one that waits for what never comes ends. Official
//! scenario 33.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use lightlike::prelude::*;
use lightlike_tests::conformance::failures::{fail_with_string, no_op};
use lightlike_tests::conformance::keys::*;
use lightlike_tests::conformance::{next, on_both_servers, within};
use lightlike_tests::target::Target;

/// Failure of a scenario that has this long.
async fn failure(target: &Target, limit: Duration, story: impl AsyncFnOnce(&Target)) -> String {
    let told = AssertUnwindSafe(within(limit, target, story)).catch_unwind().await;
    let panic = told.expect_err("the story fails");
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap().to_owned()
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn failing_scenario_is_reported() {
    on_both_servers(async |target| {
        let wrong = failure(target, LONG, async |target| {
            let db = target.connect().await;
            db.call(no_op()).await.unwrap();
            assert_eq!(db.table::<PkU32>().len(), 1, "there is no row");
        });
        assert!(wrong.await.contains("there is no row"));

        let refused = failure(target, LONG, async |target| {
            let db = target.connect().await;
            db.call(fail_with_string("not today".into())).await.unwrap();
        });
        assert!(refused.await.contains("not today"));

        let ended = failure(target, LONG, async |target| {
            let db = target.connect().await;
            let mut inserts = db.table::<PkU32>().inserts();
            db.disconnect().await;
            next(&mut inserts).await;
        });
        assert!(ended.await.contains("the stream goes on"));
    })
    .await;
}

#[tokio::test]
async fn stuck_scenario_ends_in_time() {
    on_both_servers(async |target| {
        let endless = failure(target, Duration::from_millis(300), async |target| {
            let db = target.connect().await;
            let _rows = db.subscribe(PkU32::all()).await.unwrap();
            let mut inserts = db.table::<PkU32>().inserts();
            db.call(PkU32Two::insert(1, 1)).await.unwrap();
            next(&mut inserts).await;
        });
        assert!(endless.await.contains("the test is over in time"));
    })
    .await;
}
