//! A frame loop: what ticks do, and that nothing else does anything.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use lightlike::ErrorKind;
use lightlike::connection::Limits;
use lightlike::prelude::*;
use lightlike_tests::chat::{Message, User, send_message};
use lightlike_tests::target::Target;

use crate::support::{FRAME, chat, tick_until, wait};

/// Somebody else, who talks.
fn talk(target: &Target, lines: usize) {
    let grace = target.builder().connect_blocking().unwrap();
    let calls: Vec<_> =
        (0..lines).map(|line| grace.call(send_message(line.to_string())).send()).collect();
    wait(async {
        for call in calls {
            call.await.unwrap();
        }
    });
}

/// A client with all messages, whose callbacks count.
fn listening(db: &Client) -> (Subscription, Arc<AtomicUsize>) {
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    db.table::<Message>().on_insert(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let messages = tick_until(db, db.subscribe(Message::all()).into_future()).unwrap();
    (messages, heard)
}

#[test]
fn nothing_happens_between_ticks() {
    let target = chat();
    let db = target.builder().build_manual().unwrap();
    let early = db.subscribe(User::all());
    assert!(db.identity().is_none() && !early.is_applied());
    let (_messages, heard) = listening(&db);
    assert!(early.is_applied());
    talk(&target, 3);
    // What the server sent before its answer to another is here, or under way; none of it shows.
    assert_eq!((db.table::<Message>().len(), heard.load(Ordering::Relaxed)), (0, 0));
    while heard.load(Ordering::Relaxed) < 3 {
        let _ = db.tick(Budget::unlimited()).unwrap();
        assert_eq!(db.table::<Message>().len(), heard.load(Ordering::Relaxed));
    }
}

#[test]
fn a_tick_of_one_message_shows_one_transaction() {
    let target = chat();
    let db = target.builder().build_manual().unwrap();
    let (_messages, heard) = listening(&db);
    talk(&target, 5);
    let mut seen = vec![0];
    while seen.last() != Some(&5) {
        let tick = db.tick(Budget::messages(1)).unwrap();
        assert!(tick.messages <= 1, "{tick:?}");
        seen.push(heard.load(Ordering::Relaxed));
    }
    assert!(seen.windows(2).all(|pair| pair[1] - pair[0] <= 1), "{seen:?}");
}

#[test]
fn small_tick_leaves_work_and_shows_whole_transactions() {
    let target = chat();
    talk(&target, 200);
    let db = target.builder().build_manual().unwrap();
    let messages = db.subscribe(Message::all());
    let mut unfinished = 0;
    while !messages.is_applied() {
        let tick = db.tick(Budget::rows(10)).unwrap();
        unfinished += usize::from(tick.work_left);
        let rows = db.table::<Message>().len();
        assert!(rows == 0 || rows == 200, "{rows}");
        if !tick.work_left {
            thread::yield_now();
        }
    }
    assert!(unfinished >= 20, "{unfinished} ticks for 200 rows");
}

#[test]
fn nested_tick_is_refused() {
    let target = chat();
    let db = target.builder().build_manual().unwrap();
    let inner = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&inner);
    db.table::<Message>().on_insert(move |event, _| {
        let tick = event.db().tick(Budget::unlimited());
        seen.lock().unwrap().push(tick.map_err(|error| error.kind()));
    });
    let _messages = tick_until(&db, db.subscribe(Message::all()).into_future()).unwrap();
    tick_until(&db, db.call(send_message("once".into())).into_future()).unwrap();
    assert_eq!(*inner.lock().unwrap(), [Err(ErrorKind::Driver)]);
}

#[test]
fn callbacks_of_ticks_may_do_everything() {
    let target = chat();
    let db = target.builder().build_manual().unwrap();
    let kept = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&kept);
    db.table::<Message>().on_insert(move |event, message| {
        if message.text == "first" {
            *slot.lock().unwrap() = Some(event.db().subscribe(User::all()));
            event.db().call(send_message("second".into())).forget();
        }
    });
    let _messages = tick_until(&db, db.subscribe(Message::all()).into_future()).unwrap();
    tick_until(&db, db.call(send_message("first".into())).into_future()).unwrap();
    let users = kept.lock().unwrap().take().unwrap();
    tick_until(&db, users.applied()).unwrap();
    while db.table::<Message>().len() < 2 {
        let _ = db.tick(Budget::unlimited()).unwrap();
        thread::yield_now();
    }
}

#[test]
fn held_view_over_limit_lets_ticks_return() {
    let target = chat();
    let mut limits = Limits::DEFAULT;
    limits.max_dead_rows = 1;
    let db = target.builder().limits(limits).build_manual().unwrap();
    let name = |name: &str| lightlike_tests::chat::set_name(name.into());
    let _users = tick_until(&db, db.subscribe(User::all()).into_future()).unwrap();
    let view = db.read();
    tick_until(&db, db.call(name("one")).into_future()).unwrap();
    let two = db.call(name("two")).send();
    // It came, and waits for the view: every tick says so, and returns.
    while !db.tick(Budget::unlimited()).unwrap().work_left {
        thread::yield_now();
    }
    let tick = db.tick(Budget::unlimited()).unwrap();
    assert!(tick.work_left);
    assert_eq!(view.table::<User>().iter().filter(|user| user.name.is_some()).count(), 0);
    drop(view);
    tick_until(&db, two).unwrap();
}

#[test]
fn ticks_go_on_after_panic() {
    /// Names that no index can hold.
    #[derive(Clone, Debug, PartialEq, Eq, Bsatn)]
    #[bsatn(transparent)]
    struct Name(String);

    impl PartialOrd for Name {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }

    impl Ord for Name {
        fn cmp(&self, _: &Self) -> std::cmp::Ordering {
            panic!("no order")
        }
    }

    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "user")]
    struct Nameless {
        #[primary_key]
        identity: Identity,
        #[index(btree)]
        name: Option<Name>,
        online: bool,
    }

    let target = chat();
    let others: Vec<_> = (0..2).map(|_| target.builder().connect_blocking().unwrap()).collect();
    for other in &others {
        wait(other.call(lightlike_tests::chat::set_name("a".into())).into_future()).unwrap();
    }
    let db = target.builder().build_manual().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let panics = Arc::clone(&told);
    db.on_panic(move |_, panicked| panics.lock().unwrap().push(panicked.message.to_string()));
    let users = tick_until(&db, db.subscribe(Nameless::all()).into_future());
    assert_eq!(users.err().unwrap().kind(), ErrorKind::Panicked);
    let (_messages, heard) = listening(&db);
    db.table::<Message>().on_insert(|_, _| panic!("no ear"));
    for line in ["one", "two"] {
        tick_until(&db, db.call(send_message(line.into())).into_future()).unwrap();
    }
    assert_eq!(heard.load(Ordering::Relaxed), 2);
    assert_eq!(*told.lock().unwrap(), ["no order", "no ear", "no ear"]);
    assert!(db.tick(FRAME).is_ok());
}
