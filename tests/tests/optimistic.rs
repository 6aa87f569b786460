//! What calls are expected to do, on both servers: seen at once, replaced by what the server says, and no trace of it left.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use lightlike::calls::WhileDisconnected;
use lightlike::connection::Reconnect;
use lightlike::events::{Changes, EventStream};
use lightlike::prelude::*;
use lightlike_tests::conformance::columns::{InsertOneU8, OneU8};
use lightlike_tests::conformance::failures::fail_with_string;
use lightlike_tests::conformance::keys::{
    AutoInc, DeletePkU32, InsertAutoInc, InsertPkU32, PkU32, SwapAutoIncNames, UpdatePkU32,
};
use lightlike_tests::conformance::on_both_servers;
use lightlike_tests::proxy::Proxy;
use lightlike_tests::target::Target;

/// A client behind a proxy, with a set of each table, and its transactions from then on.
struct Rig {
    proxy: Proxy,
    db: Client,
    transactions: EventStream<Changes>,
    _sets: [Subscription; 3],
}

impl Rig {
    async fn new(target: &Target) -> Self {
        let proxy = Proxy::start(&target.uri()).await;
        let mut quick = Reconnect::default();
        quick.pause_max = std::time::Duration::from_millis(100);
        let builder = Client::builder(proxy.uri(), target.name())
            .reconnect(quick)
            .while_disconnected(WhileDisconnected::Wait)
            .mutator(|tx, InsertOneU8 { value }: &InsertOneU8| tx.insert(OneU8 { value: *value }));
        let db = builder.connect().await.unwrap();
        let sets = [
            db.subscribe(AutoInc::all()).await.unwrap(),
            db.subscribe(PkU32::all()).await.unwrap(),
            db.subscribe(OneU8::all()).await.unwrap(),
        ];
        let transactions = db.transactions();
        Self { proxy, db, transactions, _sets: sets }
    }

    async fn next(&mut self) -> Changes {
        self.transactions.next().await.unwrap().unwrap()
    }

    async fn until(&self, wanted: impl Fn(&ConnectionState) -> bool) {
        self.db.state().wait_for(wanted).await.unwrap();
    }
}

fn add(name: &str) -> InsertAutoInc {
    InsertAutoInc { name: name.into(), level: 1 }
}

fn expected(tx: &mut LocalTx, args: &InsertAutoInc) {
    let id = tx.temp_id();
    tx.insert(AutoInc { id, name: args.name.clone(), level: args.level });
}

fn names(db: &Client) -> Vec<String> {
    let mut names: Vec<_> = db.table::<AutoInc>().iter().map(|row| row.name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn temporary_row_never_coexists_with_servers() {
    on_both_servers(async |target| {
        let mut rig = Rig::new(target).await;
        rig.proxy.hold_replies(true);
        let call = rig.db.call(add("Ada")).optimistic(expected).send();
        let row = rig.db.table::<AutoInc>().iter().next().expect("the row is there");
        assert!(row.id.is_temp_id());
        assert!(matches!(rig.db.table::<AutoInc>().status(&row), Some(RowStatus::Pending(_))));
        let first = rig.next().await;
        assert!(matches!(first.cause(), Cause::Optimistic(_)));

        rig.proxy.hold_replies(false);
        call.await.unwrap();
        let rows: Vec<_> = rig.db.table::<AutoInc>().iter().collect();
        let [confirmed] = &rows[..] else { panic!("{rows:?}") };
        assert!(!confirmed.id.is_temp_id() && confirmed.name == "Ada");
        assert_eq!(rig.db.table::<AutoInc>().status(confirmed), Some(RowStatus::Confirmed));
        let second = rig.next().await;
        assert!(matches!(second.cause(), Cause::Call { .. }));
        let changes: Vec<_> = second.of::<AutoInc>().collect();
        assert_eq!(changes, [RowChange::Insert(confirmed), RowChange::Delete(&row)]);
    })
    .await;
}

#[tokio::test]
async fn temporary_ids_in_arguments_become_the_servers() {
    on_both_servers(async |target| {
        let rig = Rig::new(target).await;
        rig.proxy.hold_replies(true);
        let adding =
            [add("Ada"), add("Bob")].map(|call| rig.db.call(call).optimistic(expected).send());
        let mut rows: Vec<_> = rig.db.table::<AutoInc>().iter().collect();
        rows.sort_by_key(|row| row.id);
        let [ada, bob] = &rows[..] else { panic!("{rows:?}") };
        assert!(ada.id.is_temp_id() && bob.id.is_temp_id());
        assert_eq!((&*ada.name, &*bob.name), ("Ada", "Bob"), "in the order of the calls");
        let swapping = rig.db.call(SwapAutoIncNames { a: ada.id, b: bob.id });
        let swap = swapping.optimistic(|tx, SwapAutoIncNames { a, b }| {
            let rows = [a, b].map(|id| tx.find(AutoInc::ID, id).cloned());
            if let [Some(a), Some(b)] = rows {
                tx.update(AutoInc { name: b.name.clone(), ..a });
                tx.update(AutoInc { name: a.name, ..b });
            }
        });
        let swap = swap.send();
        let in_order = || {
            let mut rows: Vec<_> = rig.db.table::<AutoInc>().iter().collect();
            rows.sort_by_key(|row| row.id);
            rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
        };
        assert_eq!(in_order(), ["Bob", "Ada"]);

        rig.proxy.hold_replies(false);
        for call in adding {
            call.await.unwrap();
            assert_eq!(in_order(), ["Bob", "Ada"], "the names never swap back");
        }
        swap.await.unwrap();
        assert_eq!(in_order(), ["Bob", "Ada"]);
        assert!(rig.db.table::<AutoInc>().iter().all(|row| !row.id.is_temp_id()));
        let known = rig.db.server_id(&ada.id).expect("it is known by now");
        assert_eq!(rig.db.table::<AutoInc>().find(AutoInc::ID, &known).unwrap().name, "Bob");
        // One that is made with an old id is made with the server's.
        let again = SwapAutoIncNames { a: ada.id, b: bob.id };
        rig.db.call(again).await.unwrap();
        assert_eq!(in_order(), ["Ada", "Bob"]);
    })
    .await;
}

#[tokio::test]
async fn a_refused_call_leaves_no_trace() {
    on_both_servers(async |target| {
        let mut rig = Rig::new(target).await;
        let call = rig.db.call(fail_with_string("no".into()));
        let call = call.optimistic(|tx, _| tx.insert(PkU32 { key: 1, data: 1 })).send();
        assert_eq!(rig.db.table::<PkU32>().len(), 1);
        assert!(matches!(call.await, Err(CallError::Rejected(why)) if why == "no"));
        assert!(rig.db.table::<PkU32>().is_empty());
        assert!(matches!(rig.next().await.cause(), Cause::Optimistic(_)));
        let reverted = rig.next().await;
        assert!(matches!(reverted.cause(), Cause::Reverted(_)));
        assert_eq!(reverted.of::<PkU32>().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn call_as_predicted_changes_row_once() {
    on_both_servers(async |target| {
        let mut rig = Rig::new(target).await;
        rig.db.call(InsertPkU32 { key: 1, data: 1 }).await.unwrap();
        let _ = rig.next().await;
        let update = rig.db.call(UpdatePkU32 { key: 1, data: 2 });
        let update =
            update.optimistic(|tx, args| tx.update(PkU32 { key: args.key, data: args.data }));
        update.await.unwrap();
        rig.db.call(DeletePkU32 { key: 1 }).await.unwrap();
        let optimistic = rig.next().await;
        let (old, new) = (PkU32 { key: 1, data: 1 }, PkU32 { key: 1, data: 2 });
        let changes: Vec<_> = optimistic.of::<PkU32>().collect();
        assert_eq!(changes, [RowChange::Update { old: &old, new: &new }]);
        let changes = rig.next().await;
        assert_eq!(changes.of::<PkU32>().collect::<Vec<_>>(), [RowChange::Delete(&new)]);
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_changes_come_beneath_what_is_expected() {
    on_both_servers(async |target| {
        let rig = Rig::new(target).await;
        let grace = target.connect().await;
        grace.call(InsertPkU32 { key: 1, data: 10 }).await.unwrap();
        let here = |wanted: i32| {
            let db = rig.db.clone();
            async move {
                let mut transactions = db.transactions();
                while db.table::<PkU32>().get(&1).is_none_or(|row| row.data != wanted) {
                    transactions.next().await.unwrap().unwrap();
                }
            }
        };
        here(10).await;
        // A call that the server never sees, so that it stays expected.
        rig.proxy.close(true);
        rig.proxy.cut();
        rig.until(|state| matches!(state, ConnectionState::Reconnecting { .. })).await;
        let call = rig.db.call(UpdatePkU32 { key: 1, data: 0 });
        let call = call.optimistic(|tx, args| {
            let row = tx.find(PkU32::KEY, &args.key).ok_or("it is gone")?;
            let data = row.data + 1;
            tx.update(PkU32 { key: args.key, data });
            Ok::<_, &str>(())
        });
        let call = call.send();
        here(11).await;
        grace.call(UpdatePkU32 { key: 1, data: 50 }).await.unwrap();
        rig.proxy.close(false);
        rig.db.reconnect_now();
        call.await.unwrap();
        assert_eq!(rig.db.table::<PkU32>().get(&1).unwrap().data, 0);
    })
    .await;
}

#[tokio::test]
async fn builders_mutator_runs_for_every_call() {
    on_both_servers(async |target| {
        let rig = Rig::new(target).await;
        rig.proxy.hold_replies(true);
        for value in 0..3 {
            rig.db.call(InsertOneU8 { value }).forget();
        }
        let mut values: Vec<_> = rig.db.table::<OneU8>().iter().map(|row| row.value).collect();
        values.sort();
        assert_eq!(values, [0, 1, 2]);
        rig.proxy.hold_replies(false);
        rig.db.call(add("last")).await.unwrap();
        assert_eq!(rig.db.table::<OneU8>().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn interrupted_call_stays_predicted_until_resync() {
    on_both_servers(async |target| {
        let rig = Rig::new(target).await;
        rig.proxy.hold_replies(true);
        let call = rig.db.call(add("Ada")).optimistic(expected).send();
        rig.proxy.close(true);
        rig.proxy.cut();
        assert!(matches!(call.await, Err(CallError::Unknown)));
        assert_eq!(names(&rig.db), ["Ada"]);
        rig.proxy.hold_replies(false);
        rig.proxy.close(false);
        rig.db.reconnect_now();
        rig.until(|state| matches!(state, ConnectionState::Ready)).await;
        // Whether or not it landed, nothing is there that is only expected.
        assert!(rig.db.table::<AutoInc>().iter().all(|row| !row.id.is_temp_id()));
    })
    .await;
}

#[tokio::test]
async fn misbehaving_mutator_harms_nobody() {
    on_both_servers(async |target| {
        let rig = Rig::new(target).await;
        let db = rig.db.clone();
        let call = rig.db.call(add("Ada")).optimistic(move |tx, args| {
            expected(tx, args);
            db.call(add("inside")).forget();
        });
        let call = call.send();
        assert!(names(&rig.db).is_empty());
        call.await.unwrap();
        let call = rig.db.call(add("Grace")).optimistic(|_, _| -> () { panic!("on purpose") });
        call.await.unwrap();
        assert_eq!(names(&rig.db), ["Ada", "Grace"]);
    })
    .await;
}
