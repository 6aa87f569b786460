//! Transactions, views and joins, from the test's own side and from a client's.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::client::{Client, all_rows, changes};
use common::world::{Banned, Me, Note, Nothing, Shout, User, identity, set_name, world};
use lightlike::types::Timestamp;
use lightlike_core::wire::{ReducerOutcome, ServerMessage};
use lightlike_testkit::Server;

fn users() -> Vec<User> {
    vec![User::new(1, "Ada", 1), User::new(2, "Bob", 2), User::new(3, "Eve", 3)]
}

#[tokio::test]
async fn rows_keep_the_order_in_which_they_came() {
    let server = world().rows::<User>(users()).start().await;
    server.run(|tx| {
        assert_eq!(tx.iter::<User>().collect::<Vec<_>>(), users());
        tx.delete_by(User::NAME, "Bob");
        tx.update(User::new(1, "Ada", 9));
        tx.insert(User::new(2, "Bob", 2));
    });
    let names: Vec<_> = server.rows::<User>().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["Eve", "Ada", "Bob"]);
}

#[tokio::test]
async fn rollback_leaves_no_trace_in_order() {
    let server = world()
        .rows::<User>(users())
        .rows::<Note>([Note::new(1, "a"), Note::new(2, "b")])
        .start()
        .await;
    let scramble = |tx: &mut lightlike_testkit::Tx| {
        tx.update(User::new(1, "Zoe", 7));
        tx.delete(&User::new(2, "Bob", 2));
        tx.insert(User::new(4, "Bob", 4));
        tx.table_mut::<Note>().clear();
        tx.insert(Note::new(1, "a"));
        tx.insert(Shout { level: 1, text: "x".into() });
        assert_eq!(tx.len::<Shout>(), 1);
    };
    let rejected = server.try_run(|tx| {
        scramble(tx);
        Err::<(), _>("no")
    });
    assert_eq!(rejected, Err("no"));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        server.run(|tx| {
            scramble(tx);
            panic!("no");
        })
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"no"));
    assert_eq!(server.rows::<User>(), users());
    assert_eq!(server.rows::<Note>(), [Note::new(1, "a"), Note::new(2, "b")]);
    assert!(server.rows::<Shout>().is_empty());
    // The indexes are as they were, too.
    server.run(|tx| {
        assert_eq!(tx.find(User::NAME, "Bob"), Some(User::new(2, "Bob", 2)));
        assert_eq!(tx.find(User::NAME, "Zoe"), None);
        assert_eq!(tx.find(User::IDENTITY, &identity(4)), None);
        assert!(tx.try_insert(User::new(4, "Ada", 1)).is_err());
    });
}

#[tokio::test]
async fn a_table_is_a_set() {
    let server = world().start().await;
    server.run(|tx| {
        for _ in 0..2 {
            tx.insert(Note::new(1, "a"));
            tx.insert(Nothing { unit: () });
            tx.insert(User::new(1, "Ada", 1));
        }
        assert_eq!((tx.len::<Note>(), tx.len::<Nothing>(), tx.len::<User>()), (1, 1, 1));
        assert!(tx.delete(&Note::new(1, "a")) && !tx.delete(&Note::new(1, "a")));
        assert!(tx.is_empty::<Note>());
    });
    let mut client = Client::connect(&server).await;
    let first = client.subscribe(1, &["SELECT * FROM nothing"]).await;
    assert_eq!(all_rows::<Nothing>(&first), [Nothing { unit: () }]);
}

#[tokio::test]
async fn unique_columns_are_unique() {
    let server = world().rows::<User>(users()).start().await;
    server.run(|tx| {
        let error = tx.try_insert(User::new(9, "Ada", 1)).unwrap_err();
        assert_eq!((error.table(), error.column()), ("user", "name"));
        assert_eq!(error.to_string(), "insertion error on table `user`:duplicate unique column");
        let error = tx.try_insert(User::new(1, "New", 1)).unwrap_err();
        assert_eq!(error.column(), "identity");
        tx.upsert(User::new(1, "New", 1));
        tx.upsert(User::new(9, "Ada", 1));
        assert!(tx.delete_by(User::IDENTITY, &identity(9)));
        assert!(!tx.delete_by(User::IDENTITY, &identity(9)));
        // A further table with the same row has only the primary key.
        tx.table_mut::<Banned>().insert(User::new(1, "Ada", 1));
        assert_eq!(
            tx.table::<Banned>().find(User::IDENTITY, &identity(1)),
            Some(User::new(1, "Ada", 1))
        );
        assert_eq!(tx.table::<Banned>().len(), 1);
    });
    let updated =
        catch_unwind(AssertUnwindSafe(|| server.run(|tx| tx.update(User::new(7, "Zoe", 1)))));
    assert!(updated.is_err());
}

#[tokio::test]
async fn sequences_give_the_numbers_of_failed_transactions_again() {
    let server = world().start().await;
    assert_eq!(
        server.run(|tx| (tx.next_id::<Note>(), tx.next_id::<Note>(), tx.next_id::<User>())),
        (1, 2, 1)
    );
    let _ = server.try_run(|tx| Err::<(), _>(tx.next_id::<Note>()));
    assert_eq!(server.run(|tx| tx.next_id::<Note>()), 3);
}

#[tokio::test]
async fn the_clock_stands_where_the_test_puts_it() {
    let server = world().time(Timestamp::from_micros(1)).start().await;
    assert_eq!(
        server.run(|tx| (tx.timestamp(), tx.sender(), tx.connection_id())).0,
        Timestamp::from_micros(1)
    );
    server.set_time(Timestamp::from_micros(2));
    assert_eq!(
        (server.time(), server.run(|tx| tx.timestamp())),
        (Timestamp::from_micros(2), Timestamp::from_micros(2))
    );
    let running = world().start().await;
    assert!(running.time() > Timestamp::from_micros(1_700_000_000_000_000));
    assert_eq!(running.run(|tx| tx.sender()), running.identity());
}

#[tokio::test]
async fn view_rows_differ_per_subscriber() {
    let server = world().start().await;
    let mut ada = Client::connect(&server).await;
    let mut bob = Client::connect(&server).await;
    for client in [&mut ada, &mut bob] {
        assert!(client.subscribe(1, &["SELECT * FROM me"]).await.tables.is_empty());
    }
    ada.send_call(&set_name("Ada".into())).await;
    let ServerMessage::ReducerResult { outcome: ReducerOutcome::Ok { update, .. }, .. } =
        ada.message().await
    else {
        panic!()
    };
    let row = User { identity: ada.identity, name: "Ada".into(), level: 1 };
    assert_eq!(changes(&update), (vec![row.clone()], vec![]));
    assert!(bob.hears_nothing().await);

    let mut again =
        Client::connect_with(&server, &common::client::Options::token(&ada.token)).await;
    assert_eq!(
        all_rows::<User>(&again.subscribe(1, &["SELECT * FROM me WHERE level < 5"]).await),
        vec![row.clone()]
    );
    // Of a transaction that changes what the view shows, both connections of its identity hear.
    let level = User { level: 7, ..row.clone() };
    server.run(|tx| tx.update(level.clone()));
    assert_eq!(changes(&ada.update().await), (vec![level.clone()], vec![row.clone()]));
    assert_eq!(changes::<User>(&again.update().await), (vec![], vec![row]));
    assert_eq!(all_rows::<User>(&ada.query("SELECT * FROM me").await.unwrap()), [level]);
    assert!(server.rows::<Me>().is_empty(), "the database itself is no user");
    server.run(|tx| tx.insert(Note::new(1, "no view reads this")));
    assert!(ada.hears_nothing().await);
}

#[tokio::test]
async fn panicking_view_fails_its_queries() {
    let server = Server::builder()
        .table::<User>()
        .view::<Me>(|tx| match tx.find(User::NAME, "crash") {
            Some(_) => panic!("crash"),
            None => tx.iter::<User>().collect(),
        })
        .reducer(|tx, common::world::SetName { name }| {
            tx.upsert(User { identity: tx.sender(), name, level: 1 });
            Ok(())
        })
        .start()
        .await;
    let mut client = Client::connect(&server).await;
    client.subscribe(1, &["SELECT * FROM me"]).await;
    for (name, commits) in [("fine", true), ("crash", false), ("fine again", true)] {
        client.send_call(&set_name(name.into())).await;
        let ServerMessage::ReducerResult { outcome, .. } = client.message().await else { panic!() };
        assert_eq!(matches!(outcome, ReducerOutcome::Ok { .. }), commits, "{name}: {outcome:?}");
    }
    client.send_unsubscribe(1, false).await;
    client.message().await;
    // With nobody to see it, the view is not computed; whoever wants to see it cannot.
    server.run(|tx| tx.insert(User::new(1, "crash", 1)));
    assert_eq!(
        client.subscribe_error(2, &["SELECT * FROM me"]).await,
        "The instance encountered a fatal error."
    );
    assert_eq!(server.rows::<User>().len(), 2);
}

#[tokio::test]
async fn join_repeats_rows_per_partner() {
    let server = world()
        .rows::<User>(users())
        .rows::<Note>([Note::new(2, "a"), Note::new(2, "b"), Note::new(3, "c")])
        .start()
        .await;
    let mut client = Client::connect(&server).await;
    let sql = "SELECT user.* FROM user JOIN note ON user.level = note.level WHERE note.text <> 'z'";
    let first = client.subscribe(1, &[sql]).await;
    let [_, bob, eve] = &users()[..] else { panic!() };
    assert_eq!(all_rows::<User>(&first), [bob.clone(), bob.clone(), eve.clone()]);

    // The partner of one goes, another gets one, and one that does not count changes nothing.
    server.run(|tx| {
        tx.delete(&Note::new(2, "a"));
        tx.insert(Note::new(1, "d"));
        tx.insert(Note::new(1, "z"));
    });
    assert_eq!(changes(&client.update().await), (vec![users()[0].clone()], vec![bob.clone()]));
    // The row itself changes.
    server.run(|tx| tx.update(User::new(3, "Eve", 2)));
    assert_eq!(changes(&client.update().await), (vec![User::new(3, "Eve", 2)], vec![eve.clone()]));
    // A partner that is replaced by another changes nothing that the client would see.
    server.run(|tx| {
        tx.delete(&Note::new(2, "b"));
        tx.insert(Note::new(2, "e"));
    });
    assert!(client.hears_nothing().await);
    let other =
        "SELECT n.* FROM user AS u JOIN note AS n ON u.level = n.level WHERE u.name = 'Bob'";
    assert_eq!(all_rows::<Note>(&client.query(other).await.unwrap()), [Note::new(2, "e")]);
}

#[tokio::test]
async fn events_join_with_current_rows() {
    let server = world().rows::<User>(users()).start().await;
    let mut client = Client::connect(&server).await;
    client.subscribe(1, &["SELECT shout.* FROM shout JOIN user ON shout.level = user.level"]).await;
    let shout = |level| Shout { level, text: "x".into() };
    server.run(|tx| {
        tx.insert(shout(1));
        tx.insert(shout(9));
    });
    assert_eq!(changes(&client.update().await), (vec![shout(1)], vec![]));
    server.run(|tx| tx.update(User::new(3, "Eve", 9)));
    assert!(client.hears_nothing().await);
}

#[tokio::test]
async fn the_sender_is_a_parameter() {
    let server = world().rows::<User>(users()).start().await;
    let mut client = Client::connect(&server).await;
    let sql = "SELECT * FROM user WHERE identity = :sender";
    assert!(client.subscribe(1, &[sql]).await.tables[0].rows.is_empty());
    client.send_call(&set_name("Zoe".into())).await;
    let ServerMessage::ReducerResult { outcome: ReducerOutcome::Ok { update, .. }, .. } =
        client.message().await
    else {
        panic!()
    };
    assert_eq!(changes::<User>(&update).0.len(), 1);
    server.run(|tx| tx.insert(User::new(9, "Kim", 1)));
    assert!(client.hears_nothing().await);
}

#[tokio::test]
async fn private_tables_are_the_modules_own() {
    let server = Server::builder().private_table::<Note>().table::<User>().start().await;
    server.run(|tx| tx.insert(Note::new(1, "secret")));
    assert_eq!(server.rows::<Note>().len(), 1);
    let mut client = Client::connect(&server).await;
    let error = client.query("SELECT * FROM note").await.unwrap_err();
    assert_eq!(error, "no such table: `note`. If the table exists, it may be marked private.");
    assert!(client.subscribe(1, &["SELECT * FROM *"]).await.tables.is_empty());
}

#[test]
fn a_wrong_test_is_told_what_to_do() {
    fn says(what: &str, body: impl FnOnce()) {
        let panic = catch_unwind(AssertUnwindSafe(body)).unwrap_err();
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap().to_string());
        assert!(text.contains(what), "{text}");
    }
    says("has a table `user` already", || drop(Server::builder().table::<User>().table::<User>()));
    says("`me` is a view: add it with `.view::<..>(|tx| rows)`", || {
        drop(Server::builder().table::<Me>());
    });
    says("`user` is no view", || drop(Server::builder().view::<User>(|_| Vec::new())));
    says("has a reducer `fail` already", || {
        let builder = Server::builder().reducer(|_, common::world::Fail {}| Ok(()));
        drop(builder.reducer(|_, common::world::Fail {}| Ok(())));
    });
    says("the same `name`, which is unique", || {
        drop(world().rows::<User>([User::new(1, "Ada", 1), User::new(2, "Ada", 1)]));
    });
    let server = world().start_blocking();
    says("no table `counter`: add `.table::<", || {
        #[derive(lightlike::Bsatn, lightlike::Table)]
        #[table(name = "counter")]
        struct Counter {
            value: u32,
        }
        server.run(|tx| tx.insert(Counter { value: 1 }));
    });
    says("`me` is a view: its rows come from the closure", || {
        server.run(|tx| tx.table_mut::<Me>().clear());
    });
    assert_eq!(server.run(|tx| tx.len::<User>()), 0, "and the server goes on");
}
