//! Watches: of one row, of a table, of the connection, and waiting for what holds of the rows.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt};
use lightlike::ErrorKind;
use lightlike::events::{Gone, Watch};
use lightlike::prelude::*;
use lightlike_tests::conformance::keys::*;
use lightlike_tests::conformance::on_both_servers;

#[tokio::test]
async fn row_watch_fires_on_real_changes() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let set = db.subscribe(PkU32::all()).await.unwrap();
        let mut row = db.table::<PkU32>().watch_row(1);
        assert_eq!(row.get(), None);
        let never = |row: &mut Watch<Option<PkU32>>, why: &str| {
            assert!(row.next().now_or_never().is_none(), "{why}");
        };
        db.call(PkU32::insert(2, 0)).await.unwrap();
        never(&mut row, "another row came");
        db.call(PkU32::insert(1, 10)).await.unwrap();
        assert_eq!(row.next().await, Some(Some(PkU32::of(1, 10))));
        db.call(PkU32::update(1, 10)).await.unwrap();
        never(&mut row, "it is the same");
        db.call(replace_pk_u32_with_itself(1)).await.unwrap();
        never(&mut row, "it was replaced by itself");
        let again = db.subscribe(PkU32::all()).await.unwrap();
        drop(again);
        never(&mut row, "another set has it too");
        db.call(PkU32::update(1, 11)).await.unwrap();
        assert_eq!(row.next().await, Some(Some(PkU32::of(1, 11))));
        db.call(PkU32::delete(1)).await.unwrap();
        assert_eq!(row.next().await, Some(None));
        db.call(PkU32::insert(1, 12)).await.unwrap();
        assert_eq!(row.next().await, Some(Some(PkU32::of(1, 12))));
        set.unsubscribe().await.unwrap();
        assert_eq!(row.next().await, Some(None));
    })
    .await;
}

#[tokio::test]
async fn slow_watcher_sees_only_latest_row() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = db.subscribe(PkU32::all()).await.unwrap();
        db.call(PkU32::insert(1, 0)).await.unwrap();
        let mut row = db.table::<PkU32>().watch_row(1);
        let mut same = row.clone();
        for data in 1..=10 {
            db.call(PkU32::update(1, data)).await.unwrap();
        }
        assert_eq!(row.next().await, Some(Some(PkU32::of(1, 10))));
        assert!(row.next().now_or_never().is_none());
        assert_eq!(StreamExt::next(&mut same).await, Some(Some(PkU32::of(1, 10))));
    })
    .await;
}

#[tokio::test]
async fn row_watch_awaits_first_row_and_ends() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = db.subscribe(PkU32::all()).await.unwrap();
        let mut row = db.table::<PkU32>().watch_row(1);
        let (first, called) = tokio::join!(row.first_some(), db.call(PkU32::insert(1, 10)));
        called.unwrap();
        assert_eq!(first, Ok(PkU32::of(1, 10)));
        assert_eq!(row.first_some().now_or_never(), Some(Ok(PkU32::of(1, 10))));
        let mut other = db.table::<PkU32>().watch_row(2);
        db.disconnect().await;
        assert_eq!(other.first_some().await, Err(Gone));
        assert_eq!(row.next().await, None);
        assert_eq!(row.get(), Some(PkU32::of(1, 10)), "the row stays readable");
        assert_eq!(db.table::<PkU32>().watch_row(1).get(), Some(PkU32::of(1, 10)));
        assert_eq!(db.table::<PkU32>().watch_row(3).first_some().await, Err(Gone));
    })
    .await;
}

#[tokio::test]
async fn table_watch_coalesces_transactions() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = db.subscribe((PkU32::all(), PkU32Two::all())).await.unwrap();
        let mut table = db.table::<PkU32>().watch();
        db.call(PkU32Two::insert(1, 0)).await.unwrap();
        assert!(table.changed().now_or_never().is_none(), "it is another table");
        for key in 0..10 {
            db.call(PkU32::insert(key, 0)).await.unwrap();
        }
        let view = table.next().await.unwrap();
        assert_eq!(view.table::<PkU32>().len(), 10);
        assert!(table.changed().now_or_never().is_none());
        let (view, called) =
            tokio::join!(table.wait_for(|rows| rows.len() == 9), db.call(PkU32::delete(3)));
        called.unwrap();
        assert!(view.unwrap().table::<PkU32>().get(&3).is_none());
        assert!(StreamExt::next(&mut table).now_or_never().is_none());
        db.call(PkU32::delete(4)).await.unwrap();
        assert_eq!(StreamExt::next(&mut table).await.unwrap().table::<PkU32>().len(), 8);
        db.disconnect().await;
        assert!(StreamExt::next(&mut table).await.is_none());
        assert_eq!(table.changed().await, Err(Gone));
    })
    .await;
}

#[tokio::test]
async fn the_connection_s_states_are_a_stream() {
    on_both_servers(async |target| {
        let db = target.builder().build().unwrap();
        let mut states = db.state();
        assert!(matches!(states.get(), ConnectionState::Idle));
        let seen = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(state) = StreamExt::next(&mut states).await {
                seen.push(state);
            }
            seen
        });
        db.start().unwrap();
        db.wait_until(|view| !view.is_stale()).await.unwrap();
        db.disconnect().await;
        let seen = seen.await.unwrap();
        assert!(matches!(seen.last(), Some(ConnectionState::Closed(_))), "{seen:?}");
    })
    .await;
}

#[tokio::test]
async fn one_waits_until_something_holds_of_the_rows() {
    on_both_servers(async |target| {
        let (ada, grace) = (target.connect().await, target.connect().await);
        let _set = grace.subscribe(PkU32::all()).await.unwrap();
        let waiting = grace.clone();
        let both = tokio::spawn(async move {
            waiting
                .wait_until(|view| {
                    let table = view.table::<PkU32>();
                    table.get(&1).is_some() && table.get(&2).is_some()
                })
                .await
        });
        ada.call(PkU32::insert(1, 0)).await.unwrap();
        ada.call(PkU32::insert(2, 0)).await.unwrap();
        both.await.unwrap().unwrap();
        let now = grace.wait_until(|view| view.table::<PkU32>().len() == 2);
        assert!(now.now_or_never().unwrap().is_ok());
    })
    .await;
}

#[tokio::test]
async fn waiting_ends_by_timeout_or_close() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let never = db.wait_until(|_| false).timeout(Duration::from_millis(20));
        let error = never.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.is_retryable() && error.to_string().contains("20ms"), "{error}");

        let in_time = db.wait_until(|view| view.table::<PkU32>().len() == 1);
        let in_time = in_time.timeout(Duration::from_secs(30));
        let (waited, set) = tokio::join!(in_time, async {
            let set = db.subscribe(PkU32::all()).await.unwrap();
            db.call(PkU32::insert(1, 0)).await.unwrap();
            set
        });
        waited.unwrap();
        drop(set);

        let (waited, ()) =
            tokio::join!(db.wait_until(|_| false).timeout(Duration::from_secs(30)), async {
                db.disconnect().await;
            });
        assert_eq!(waited.unwrap_err().kind(), ErrorKind::Disconnected);
        let late = db.wait_until(|_| false).timeout(Duration::from_secs(30)).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Disconnected);
    })
    .await;
}

/// Key whose `Hash` counts lookups: one each for what the cache does and what the watches do.
mod counted {
    use std::hash::{Hash, Hasher};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use lightlike::prelude::*;
    use lightlike_tests::conformance::keys::{Keyed as _, PkU32};
    use lightlike_tests::conformance::on_both_servers;

    static HASHED: AtomicUsize = AtomicUsize::new(0);

    /// Encoded as the number that it holds.
    #[derive(Bsatn, Clone, Debug, PartialEq, Eq)]
    struct Key {
        id: u32,
    }

    impl Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            HASHED.fetch_add(1, Ordering::Relaxed);
            self.id.hash(state);
        }
    }

    #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
    #[table(name = "pk_u_32")]
    struct Counted {
        #[primary_key]
        key: Key,
        data: i32,
    }

    #[tokio::test]
    async fn hundred_thousand_watches_do_not_slow_changes() {
        on_both_servers(async |target| {
            let db = target.connect().await;
            let _set = db.subscribe(Counted::all()).await.unwrap();
            for id in 0..100 {
                db.call(PkU32::insert(id, 0)).await.unwrap();
            }
            let cost = async |data: i32| {
                let before = HASHED.load(Ordering::Relaxed);
                db.call(PkU32::update(77, data)).await.unwrap();
                HASHED.load(Ordering::Relaxed) - before
            };
            let unwatched = cost(1).await;
            let table = db.table::<Counted>();
            let mut watches: Vec<_> = (0..100_000).map(|id| table.watch_row(Key { id })).collect();
            let watched = cost(2).await;
            assert!(watched <= unwatched + 2, "{watched} hashes, {unwatched} without watches");
            let row = watches[77].next().await.unwrap().unwrap();
            assert_eq!(row, Counted { key: Key { id: 77 }, data: 2 });
            drop(watches);
            let forgotten = cost(3).await;
            assert_eq!(forgotten, unwatched, "nobody watches any more");
        })
        .await;
    }
}
