//! Row types without an order, without a copy, and with a `Drop` that fails.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};

use lightlike::ErrorKind;
use lightlike::prelude::*;
use lightlike_tests::chat::{User, set_name};
use lightlike_tests::conformance::columns::{Keyless as _, OneF64};
use lightlike_tests::conformance::keys::{Keyed as _, PkU32};
use lightlike_tests::conformance::on_both_servers;
use lightlike_tests::target::Target;

use crate::{panics_of, soon};

/// A number whose order panics over NaN.
#[expect(clippy::derive_ord_xor_partial_ord, reason = "the mistake that is tried here")]
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Bsatn)]
#[bsatn(transparent)]
struct Score(f64);

impl Eq for Score {}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.partial_cmp(other).expect("scores have an order")
    }
}

#[derive(Bsatn, Table, Clone, Debug)]
#[table(name = "one_f_64")]
struct Scored {
    #[index(btree)]
    value: Score,
}

#[tokio::test]
async fn row_without_order_ends_only_its_subscriptions() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let panics = panics_of(&db);
        let both = db.subscribe((Scored::all(), PkU32::all())).await.unwrap();
        let scores = db.subscribe(Scored::all()).await.unwrap();
        let others = db.subscribe(PkU32::all()).await.unwrap();
        for value in [2.0, 1.0, 3.0] {
            db.call(OneF64::of(value).insert()).await.unwrap();
        }
        let above = db.read().table::<Scored>().range(Scored::VALUE, Score(1.5)..).count();
        assert_eq!(above, 2);
        soon(db.call(OneF64::of(f64::NAN).insert())).await.unwrap();
        for subscription in [both, scores] {
            let error = soon(subscription.ended()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Panicked);
            let story = format!("{error:?}");
            assert!(story.contains("`one_f_64`") && story.contains("panicked"), "{story}");
            assert!(story.contains("scores have an order"), "{story}");
        }
        assert!(db.table::<Scored>().is_empty());
        soon(db.call(PkU32::insert(1, 2))).await.unwrap();
        assert!(others.is_applied());
        assert_eq!((db.table::<PkU32>().len(), db.pending_calls()), (1, 0));
        assert!(panics.take().iter().all(|panic| panic.starts_with("row type one_f_64: ")));
        // The server still has that row: whoever asks again is told the same.
        let error = soon(db.subscribe(Scored::all()).into_future()).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(matches!(db.state().get(), ConnectionState::Ready));
        soon(db.disconnect()).await;
    })
    .await;
}

#[tokio::test]
async fn row_without_copy_is_missed_by_stream() {
    static ARMED: AtomicBool = AtomicBool::new(false);

    #[derive(Bsatn, Table, Debug)]
    #[table(name = "pk_u_32")]
    struct Shy {
        #[primary_key]
        key: u32,
        data: i32,
    }

    impl Clone for Shy {
        fn clone(&self) -> Self {
            assert!(self.data != 13 || !ARMED.load(Atomic::Relaxed), "no copies");
            Self { ..*self }
        }
    }

    on_both_servers(async |target| {
        ARMED.store(false, Atomic::Relaxed);
        let db = target.connect().await;
        let panics = panics_of(&db);
        let _rows = db.subscribe(Shy::all()).await.unwrap();
        let mut stream = db.table::<Shy>().inserts();
        let mut other = db.table::<Shy>().inserts();
        let mut watch = db.table::<Shy>().watch_row(7);
        let heard = lightlike_tests::conformance::Log::default();
        let callback = heard.clone();
        db.table::<Shy>().on_insert(move |_, row| callback.push(row.key.to_string()));
        ARMED.store(true, Atomic::Relaxed);
        for (n, data) in [(7, 13), (8, 1)] {
            soon(db.call(PkU32::insert(n, data))).await.unwrap();
        }
        assert_eq!(heard.take(), ["7", "8"], "callbacks copy nothing");
        for stream in [&mut stream, &mut other] {
            assert!(soon(stream.next()).await.unwrap().is_err(), "one event went by");
            assert_eq!(soon(stream.next()).await.unwrap().unwrap().row.key, 8);
        }
        assert_eq!(panics.take(), vec!["row type pk_u_32: no copies"; 3]);
        assert!(watch.get().is_none(), "it keeps what it has");
        ARMED.store(false, Atomic::Relaxed);
        soon(db.call(PkU32::update(7, 14))).await.unwrap();
        assert_eq!(soon(watch.next()).await.unwrap().unwrap().data, 14);
    })
    .await;
}

#[tokio::test]
async fn row_that_panics_when_dropped_ends_its_subscriptions() {
    static ARMED: AtomicBool = AtomicBool::new(false);

    #[derive(Bsatn, Table, Debug)]
    #[table(name = "pk_u_32")]
    struct Fragile {
        #[primary_key]
        key: u32,
        data: i32,
    }

    impl Drop for Fragile {
        fn drop(&mut self) {
            assert!(!ARMED.load(Atomic::Relaxed), "dropped {}", self.data);
        }
    }

    on_both_servers(async |target| {
        ARMED.store(false, Atomic::Relaxed);
        let db = target.connect().await;
        let panics = panics_of(&db);
        let rows = db.subscribe(Fragile::all()).await.unwrap();
        for n in 0..5 {
            soon(db.call(PkU32::insert(n, 0))).await.unwrap();
        }
        ARMED.store(true, Atomic::Relaxed);
        for n in 0..5 {
            soon(db.call(PkU32::delete(n))).await.unwrap();
        }
        let error = soon(rows.ended()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(format!("{error:?}").contains("pk_u_32"), "{error:?}");
        assert!(panics.take().contains(&"row type pk_u_32: dropped 0".to_owned()));
        soon(db.disconnect()).await;
        drop((rows, db));
        ARMED.store(false, Atomic::Relaxed);
    })
    .await;
}

#[tokio::test]
async fn row_type_that_uses_the_client_is_refused() {
    static CLIENT: std::sync::OnceLock<lightlike::WeakClient> = std::sync::OnceLock::new();

    #[derive(Clone, Debug, PartialEq, Eq, Bsatn)]
    #[bsatn(transparent)]
    struct Name(String);

    impl PartialOrd for Name {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl Ord for Name {
        fn cmp(&self, other: &Self) -> Ordering {
            // What would wait for itself.
            let db = CLIENT.get().and_then(lightlike::WeakClient::upgrade);
            let _pending = db.map(|db| db.pending_calls());
            self.0.cmp(&other.0)
        }
    }

    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "user")]
    struct Busy {
        #[primary_key]
        identity: Identity,
        #[index(btree)]
        name: Option<Name>,
        online: bool,
    }

    let target = Target::chat().await;
    let (db, other) = (target.connect().await, target.connect().await);
    let _ = CLIENT.set(db.downgrade());
    for client in [&db, &other] {
        soon(client.call(set_name("Ada".into()))).await.unwrap();
    }
    let panics = panics_of(&db);
    let error = soon(db.subscribe(Busy::all()).into_future()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(format!("{error:?}").contains("must not use the client"), "{error:?}");
    assert!(!panics.take().is_empty());
    soon(db.call(set_name("Grace".into()))).await.unwrap();
    let _users = other.subscribe(User::all()).await.unwrap();
    assert_eq!(other.table::<User>().len(), 2);
}
