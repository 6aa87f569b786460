//! Captures of callbacks, which may panic when they are dropped.

use lightlike::prelude::*;
use lightlike_tests::chat::{Message, send_message};
use lightlike_tests::target::Target;

use crate::{panics_of, soon};

/// Panics when it is dropped.
struct Captured;

impl Drop for Captured {
    fn drop(&mut self) {
        panic!("captured");
    }
}

/// Captures what a closure names, and does nothing.
fn hold(_: &Captured) {}

#[tokio::test]
async fn captures_do_not_come_out_of_remove() {
    let target = Target::chat().await;
    let db = target.connect().await;
    let panics = panics_of(&db);
    let captured = Captured;
    let callback = db.table::<Message>().on_insert(move |_, _| hold(&captured));
    callback.remove();
    let captured = Captured;
    drop(db.on_transaction(move |_, _| hold(&captured)).scoped());
    let captured = Captured;
    db.on_calls(move |event| {
        let _ = &captured;
        event.unregister();
    });
    let _messages = db.subscribe(Message::all()).await.unwrap();
    soon(db.call(send_message("hello".into()))).await.unwrap();
    soon(db.call(send_message("again".into()))).await.unwrap();
    let mut told = panics.take();
    told.sort();
    assert_eq!(
        told,
        ["on_calls -: captured", "on_insert message: captured", "on_transaction -: captured"]
    );
}

#[tokio::test]
async fn captures_do_not_disturb_the_end() {
    let target = Target::chat().await;
    let captured = Captured;
    let builder = target.builder().mutator(move |_, call: &lightlike_tests::chat::SendMessage| {
        let _ = call;
        hold(&captured);
    });
    let db = soon(builder.connect()).await.unwrap();
    for _ in 0..3 {
        let captured = Captured;
        db.table::<Message>().on_insert(move |_, _| hold(&captured));
        let captured = Captured;
        db.on_lost_for_long(move |_| hold(&captured));
    }
    let captured = Captured;
    let call = db.call(send_message("hello".into())).optimistic(move |_, _| hold(&captured));
    soon(call).await.unwrap();
    soon(db.disconnect()).await;
    let captured = Captured;
    let refused = db.call(send_message("late".into())).optimistic(move |_, _| hold(&captured));
    assert!(matches!(soon(refused).await, Err(CallError::NotSent(_))));
    drop(db);
}

#[tokio::test]
async fn items_of_streams_may_panic_when_dropped() {
    /// A row that panics when it is dropped by whoever reads it.
    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "message")]
    struct Burning {
        sender: Identity,
        sent: Timestamp,
        text: Text,
    }

    #[derive(Bsatn, Clone, Debug)]
    #[bsatn(transparent)]
    struct Text(String);

    impl Drop for Text {
        fn drop(&mut self) {
            assert!(self.0 != "burn" || std::thread::current().name() != Some("reader"), "burnt");
        }
    }

    let target = Target::chat().await;
    let db = target.connect().await;
    let _messages = db.subscribe(Burning::all()).await.unwrap();
    let stream = db.table::<Burning>().inserts().capacity(2);
    for _ in 0..5 {
        soon(db.call(send_message("burn".into()))).await.unwrap();
    }
    let reader = std::thread::Builder::new().name("reader".into());
    reader.spawn(move || drop(stream)).unwrap().join().expect("it drops its items one by one");
    soon(db.call(send_message("still here".into()))).await.unwrap();
    assert_eq!(db.table::<Burning>().len(), 6);
}
