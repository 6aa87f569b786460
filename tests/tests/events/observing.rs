//! Observation of a client: counters, and a notice when the application is slow.

use std::time::Duration;

use lightlike::prelude::*;
use lightlike_tests::conformance::failures::no_op;
use lightlike_tests::conformance::keys::*;
use lightlike_tests::conformance::{Log, on_both_servers};

#[tokio::test]
async fn hundred_calls_share_one_frame() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = db.subscribe(PkU32::all()).await.unwrap();
        let before = db.stats();
        let calls: Vec<_> = (0..100).map(|key| db.call(PkU32::insert(key, 0)).send()).collect();
        assert_eq!(db.stats().calls_in_flight, 100);
        for call in calls {
            call.await.unwrap();
        }
        let after = db.stats();
        assert_eq!(after.messages_sent - before.messages_sent, 100);
        assert_eq!(after.frames_sent - before.frames_sent, 1);
        assert_eq!(after.calls_answered - before.calls_answered, 100);
        assert_eq!(after.rows_changed - before.rows_changed, 100);
        assert!(after.bytes_sent > before.bytes_sent);
        assert!(after.bytes_received > before.bytes_received);
        assert_eq!((after.calls_in_flight, after.calls_waiting, after.reconnects()), (0, 0, 0));
        let [median, worst] =
            [50.0, 99.0].map(|percent| after.round_trips.percentile(percent).unwrap());
        assert!(Duration::ZERO < median && median <= worst && worst <= after.round_trips.max());
    })
    .await;
}

#[tokio::test]
async fn an_application_that_is_slow_is_told_so() {
    on_both_servers(async |target| {
        // However quick it is, it is slower than this.
        let db = target.builder().slow_after(Duration::ZERO).connect().await.unwrap();
        let log = Log::default();
        let notices = log.clone();
        db.on_slow_consumer(move |_, notice| notices.push(format!("{:?}", notice.reason)));
        db.call(no_op()).await.unwrap();
        db.call(no_op()).await.unwrap();
        assert!(!log.take().is_empty());
        assert!(db.stats().slow_notices > 0);
        db.disconnect().await;
        let quick = target.builder().slow_after(Duration::from_secs(3600)).connect().await.unwrap();
        let log = Log::default();
        let notices = log.clone();
        quick.on_slow_consumer(move |_, notice| notices.push(format!("{notice:?}")));
        quick.call(no_op()).await.unwrap();
        assert!(log.take().is_empty(), "an hour is long");
    })
    .await;
}
