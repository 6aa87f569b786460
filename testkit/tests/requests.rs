//! Each request, and what everybody hears of it.

mod common;

use common::client::{Client, Options, all_rows, changes, rows};
use common::world::{
    Note, Shout, User, add_note, fail, note_twice, panics, set_level, set_name, shout_all, twice,
    world,
};
use lightlike::bsatn::to_vec;
use lightlike::types::Timestamp;
use lightlike_core::wire::{
    BatchResult, ProcedureStatus, QuerySetId, ReducerOutcome, RequestId, ServerMessage, UpdateRows,
};

async fn outcome(client: &mut Client) -> (RequestId, ReducerOutcome) {
    match client.message().await {
        ServerMessage::ReducerResult { request_id, outcome, .. } => (request_id, outcome),
        other => panic!("{other:?} instead of ReducerResult"),
    }
}

async fn procedure_status(client: &mut Client) -> ProcedureStatus {
    match client.message().await {
        ServerMessage::ProcedureResult { status, .. } => status,
        other => panic!("{other:?} instead of ProcedureResult"),
    }
}

#[tokio::test]
async fn caller_gets_rows_with_reply_others_update() {
    let server = world().start().await;
    let mut ada = Client::connect(&server).await;
    let mut bob = Client::connect_with(&server, &Options::v2()).await;
    for client in [&mut ada, &mut bob] {
        assert!(client.subscribe(1, &["SELECT * FROM user"]).await.tables.is_empty());
    }
    let sent = ada.send_call(&set_name("Ada".into())).await;
    let (request_id, outcome) = outcome(&mut ada).await;
    assert_eq!(request_id, sent);
    let ReducerOutcome::Ok { ret_value, update } = outcome else { panic!("{outcome:?}") };
    assert!(ret_value.is_empty());
    let row = User { identity: ada.identity, name: "Ada".into(), level: 1 };
    assert_eq!(changes(&update), (vec![row.clone()], vec![]));
    let seen = bob.update().await;
    assert_eq!(seen.query_sets[0].query_set_id, QuerySetId(1));
    assert_eq!(changes(&seen), (vec![row.clone()], vec![]));
    assert_eq!(server.rows::<User>(), [row]);
    assert!(ada.hears_nothing().await && bob.hears_nothing().await);
}

#[tokio::test]
async fn a_reducers_value_comes_back() {
    let server = world().time(Timestamp::from_micros(5)).start().await;
    let mut client = Client::connect(&server).await;
    client.send_call(&add_note(1, "x".into())).await;
    let ServerMessage::ReducerResult {
        timestamp,
        outcome: ReducerOutcome::Ok { ret_value, update },
        ..
    } = client.message().await
    else {
        panic!()
    };
    assert_eq!(timestamp, Timestamp::from_micros(5));
    assert_eq!(&ret_value[..], 1_u32.to_le_bytes());
    assert!(update.query_sets.is_empty(), "nothing is subscribed to");
}

#[tokio::test]
async fn a_failed_reducer_leaves_no_trace() {
    let server = world().start().await;
    let mut ada = Client::connect(&server).await;
    let mut bob = Client::connect(&server).await;
    bob.subscribe(1, &["SELECT * FROM note", "SELECT * FROM user"]).await;
    ada.send_call(&fail()).await;
    assert_eq!(outcome(&mut ada).await.1, ReducerOutcome::Err(to_vec("failed").unwrap().into()));
    ada.send_call(&panics()).await;
    let ReducerOutcome::InternalError(text) = outcome(&mut ada).await.1 else { panic!() };
    assert_eq!(text.as_str(), "The instance encountered a fatal error.");
    assert!(server.rows::<Note>().is_empty());
    assert!(bob.hears_nothing().await);
}

#[tokio::test]
async fn unique_violation_fails_the_reducer() {
    let server = world().rows::<User>([User::new(1, "Ada", 1)]).start().await;
    let mut client = Client::connect(&server).await;
    client.send_call(&set_name("Ada".into())).await;
    let ReducerOutcome::InternalError(text) = outcome(&mut client).await.1 else { panic!() };
    assert_eq!(text.as_str(), "The instance encountered a fatal error.");
    assert_eq!(server.rows::<User>(), [User::new(1, "Ada", 1)]);
}

#[tokio::test]
async fn invalid_calls_are_internal_errors() {
    let server = world().start().await;
    let mut client = Client::connect(&server).await;
    client.send_call_bytes("nope", vec![]).await;
    let ReducerOutcome::InternalError(text) = outcome(&mut client).await.1 else { panic!() };
    assert_eq!(text.as_str(), "no such reducer");
    client.send_call_bytes("set_name", vec![9, 0, 0, 0]).await;
    let ReducerOutcome::InternalError(text) = outcome(&mut client).await.1 else { panic!() };
    assert!(
        text.starts_with(
            "invalid arguments for reducer set_name: invalid arguments for function set_name: "
        ),
        "{text:?}"
    );
    client.send_procedure_bytes("nope", vec![]).await;
    assert_eq!(
        procedure_status(&mut client).await,
        ProcedureStatus::InternalError("No such procedure".into())
    );
    client.send_procedure_bytes("twice", vec![1]).await;
    let ProcedureStatus::InternalError(text) = procedure_status(&mut client).await else {
        panic!()
    };
    assert!(text.starts_with("invalid arguments for procedure twice: "), "{text:?}");
    assert_eq!(server.look(|state| state.calls("set_name")), 1);
}

#[tokio::test]
async fn a_procedures_transactions_come_before_its_result() {
    let server = world().start().await;
    let mut client = Client::connect(&server).await;
    client.subscribe(1, &["SELECT * FROM note"]).await;
    let sent = client.send_procedure(&note_twice("x".into())).await;
    assert_eq!(changes(&client.update().await), (vec![Note::new(1, "x")], vec![]));
    assert_eq!(changes(&client.update().await), (vec![Note::new(2, "x")], vec![]));
    let ServerMessage::ProcedureResult { status, request_id, .. } = client.message().await else {
        panic!()
    };
    assert_eq!(
        (status, request_id),
        (ProcedureStatus::Returned(to_vec(&2_u32).unwrap().into()), sent)
    );
}

#[tokio::test]
async fn panicking_procedure_reports_without_timestamp() {
    let server = world().start().await;
    let mut client = Client::connect(&server).await;
    client.send_procedure(&twice(u32::MAX)).await;
    let ServerMessage::ProcedureResult { status, timestamp, duration, .. } = client.message().await
    else {
        panic!()
    };
    let ProcedureStatus::InternalError(text) = status else { panic!("{status:?}") };
    assert!(text.starts_with("The module instance encountered a fatal error: "), "{text:?}");
    assert!(!text.contains("a secret"));
    assert_eq!((timestamp, duration.as_micros()), (Timestamp::UNIX_EPOCH, 0));
    client.send_procedure(&twice(4)).await;
    assert_eq!(
        procedure_status(&mut client).await,
        ProcedureStatus::Returned(to_vec(&8_u32).unwrap().into())
    );
}

#[tokio::test]
async fn events_are_delivered_and_not_stored() {
    let server = world().start().await;
    let mut client = Client::connect(&server).await;
    client.subscribe(1, &["SELECT * FROM shout", "SELECT * FROM shout WHERE text = 'b'"]).await;
    client.send_call(&shout_all(vec!["a".into(), "b".into()])).await;
    let ReducerOutcome::Ok { update, .. } = outcome(&mut client).await.1 else { panic!() };
    let tables = &update.query_sets[0].tables;
    assert_eq!((tables.len(), tables[0].table.as_str()), (1, "shout"));
    let events: Vec<Vec<Shout>> = tables[0]
        .rows
        .iter()
        .map(|list| match list {
            UpdateRows::Event { events } => rows(events),
            other => panic!("{other:?}"),
        })
        .collect();
    let shout = |text: &str| Shout { level: 1, text: text.into() };
    assert_eq!(events, [vec![shout("a"), shout("b")], vec![shout("b")]]);
    assert!(server.rows::<Shout>().is_empty());
    assert!(client.subscribe(2, &["SELECT * FROM shout"]).await.tables.is_empty());
}

#[tokio::test]
async fn applied_set_gets_updates_until_ended() {
    let server = world().rows::<Note>([Note::new(1, "a"), Note::new(2, "b")]).start().await;
    let mut client = Client::connect(&server).await;
    let first = client.subscribe(7, &["SELECT * FROM note", "SELECT * FROM user"]).await;
    // A query over an empty table is left out of the answer.
    assert_eq!(first.tables.len(), 1);
    assert_eq!(all_rows::<Note>(&first), server.rows::<Note>());

    let sent = client.send_unsubscribe(7, false).await;
    let applied = ServerMessage::UnsubscribeApplied {
        request_id: sent,
        query_set_id: QuerySetId(7),
        rows: None,
    };
    assert_eq!(client.message().await, applied);
    server.run(|tx| tx.insert(Note::new(3, "c")));
    assert!(client.hears_nothing().await);

    client.subscribe(7, &["SELECT * FROM note WHERE level > 1"]).await;
    client.send_unsubscribe(7, true).await;
    let ServerMessage::UnsubscribeApplied { rows: Some(dropped), .. } = client.message().await
    else {
        panic!()
    };
    assert_eq!(all_rows::<Note>(&dropped), [Note::new(2, "b"), Note::new(3, "c")]);
}

#[tokio::test]
async fn taken_or_unknown_set_ids_are_errors() {
    let server = world().start().await;
    let mut client = Client::connect(&server).await;
    let who = format!("(Identity({}), ConnectionId({}))", client.identity, client.id);
    for (subscribed, want) in [
        (false, format!("Client not found: {who}")),
        (true, format!("Subscription not found: ({who}, QuerySetId {{ id: 9 }})")),
    ] {
        if subscribed {
            client.subscribe(1, &["SELECT * FROM user"]).await;
        }
        let sent = client.send_unsubscribe(9, false).await;
        let ServerMessage::SubscriptionError { request_id, query_set_id, error } =
            client.message().await
        else {
            panic!()
        };
        assert_eq!(
            (request_id, query_set_id, error.as_str()),
            (Some(sent), QuerySetId(9), want.as_str())
        );
    }
    let error = client.subscribe_error(1, &["SELECT * FROM note"]).await;
    assert_eq!(
        error,
        format!("Subscription with id QuerySetId {{ id: 1 }} already exists for client: {who}")
    );
    // The first one is still there.
    server.run(|tx| tx.insert(User::new(1, "Ada", 1)));
    assert_eq!(changes(&client.update().await), (vec![User::new(1, "Ada", 1)], vec![]));
}

#[tokio::test]
async fn bad_query_fails_only_its_set() {
    let server = world().rows::<Note>([Note::new(1, "a")]).start().await;
    let mut client = Client::connect(&server).await;
    client.subscribe(1, &["SELECT * FROM note"]).await;
    let error = client.subscribe_error(2, &["SELECT * FROM note", " SELEcCT * FROM note; "]).await;
    let want = "sql parser error: Expected an SQL statement, found: SELEcCT at Line: 1, Column 1, \
                executing: `SELEcCT * FROM note;`";
    assert_eq!(error, want);
    assert_eq!(
        client.subscribe_error(2, &[""]).await,
        "SubscriptionError: Empty string, executing: ``"
    );
    server.run(|tx| tx.insert(Note::new(2, "b")));
    assert_eq!(client.update().await.query_sets.len(), 1);
}

#[tokio::test]
async fn row_repeats_per_matching_query() {
    let server = world().rows::<Note>([Note::new(1, "a"), Note::new(2, "b")]).start().await;
    let mut client = Client::connect(&server).await;
    let queries = [
        "SELECT * FROM note",
        "SELECT * FROM note WHERE level = 2",
        "SELECT * FROM note ",
        "select * from note",
    ];
    let first = client.subscribe(1, &queries).await;
    // The same text twice is one query; the same query in two spellings is two.
    let lists: Vec<Vec<Note>> = first.tables.iter().map(|table| rows(&table.rows)).collect();
    let all = vec![Note::new(1, "a"), Note::new(2, "b")];
    assert_eq!(lists, [all.clone(), vec![Note::new(2, "b")], all]);

    server.run(|tx| tx.delete(&Note::new(2, "b")));
    let update = client.update().await;
    assert_eq!((update.query_sets.len(), update.query_sets[0].tables.len()), (1, 1));
    assert_eq!(changes::<Note>(&update), (vec![], vec![Note::new(2, "b"); 3]));
}

#[tokio::test]
async fn updates_are_ordered_by_query_set_and_table() {
    let server = world().start().await;
    let mut client = Client::connect(&server).await;
    client
        .subscribe(9, &["SELECT * FROM user", "SELECT * FROM note", "SELECT * FROM banned"])
        .await;
    client.subscribe(2, &["SELECT * FROM note"]).await;
    server.run(|tx| {
        tx.insert(User::new(1, "Ada", 1));
        tx.insert(Note::new(1, "a"));
        // What comes and goes in one transaction is not told.
        tx.table_mut::<common::world::Banned>().insert(User::new(2, "Bob", 1));
        tx.table_mut::<common::world::Banned>().clear();
    });
    let update = client.update().await;
    let order: Vec<_> = update
        .query_sets
        .iter()
        .flat_map(|set| set.tables.iter().map(|table| (set.query_set_id.0, table.table.as_str())))
        .collect();
    assert_eq!(order, [(2, "note"), (9, "note"), (9, "user")]);
}

#[tokio::test]
async fn row_update_is_delete_and_insert() {
    let server = world().rows::<User>([User::new(1, "Ada", 1)]).start().await;
    let mut client = Client::connect(&server).await;
    client.subscribe(1, &["SELECT * FROM user", "SELECT * FROM user WHERE level > 5"]).await;
    client.send_call(&set_level("Ada".into(), 9)).await;
    let ReducerOutcome::Ok { update, .. } = outcome(&mut client).await.1 else { panic!() };
    let (new, old) = (User::new(1, "Ada", 9), User::new(1, "Ada", 1));
    let lists = &update.query_sets[0].tables[0].rows;
    let as_lists: Vec<(Vec<User>, Vec<User>)> = lists
        .iter()
        .map(|list| match list {
            UpdateRows::Persistent { inserts, deletes } => (rows(inserts), rows(deletes)),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(as_lists, [(vec![new.clone()], vec![old]), (vec![new], vec![])]);
    // To the same row: nothing changed, nothing is told.
    client.send_call(&set_level("Ada".into(), 9)).await;
    let ReducerOutcome::Ok { update, .. } = outcome(&mut client).await.1 else { panic!() };
    assert!(update.query_sets.is_empty());
}

#[tokio::test]
async fn a_batch_answers_for_each_of_its_sets() {
    let server = world().rows::<Note>([Note::new(1, "a")]).start().await;
    let mut client = Client::connect(&server).await;
    let sent = client
        .send_batch(&[
            (1, &["SELECT * FROM note"]),
            (2, &["SELECT * FROM nope"]),
            (1, &["SELECT * FROM user"]),
            (3, &[]),
        ])
        .await;
    let ServerMessage::SubscribeBatchApplied { request_id, results } = client.message().await
    else {
        panic!()
    };
    assert_eq!(request_id, sent);
    let ids: Vec<_> = results.iter().map(|result: &BatchResult| result.query_set_id.0).collect();
    assert_eq!(ids, [1, 2, 1, 3]);
    assert_eq!(all_rows::<Note>(results[0].outcome.as_ref().unwrap()), server.rows::<Note>());
    let error = results[1].outcome.as_ref().unwrap_err();
    let want = "no such table: `nope`. If the table exists, it may be marked private., executing: `SELECT * FROM nope`";
    assert_eq!(error.as_str(), want);
    assert!(results[2].outcome.as_ref().unwrap_err().contains("already exists"));
    assert!(results[3].outcome.as_ref().unwrap().tables.is_empty());
    server.run(|tx| tx.insert(Note::new(2, "b")));
    assert_eq!(client.update().await.query_sets.len(), 1);
}

#[tokio::test]
async fn a_one_off_query_answers_once() {
    let server = world().rows::<Note>([Note::new(1, "a"), Note::new(2, "b")]).start().await;
    let mut client = Client::connect(&server).await;
    let answer = client.query("SELECT * FROM note WHERE level = 2;").await.unwrap();
    assert_eq!(all_rows::<Note>(&answer), [Note::new(2, "b")]);
    let empty = client.query("SELECT * FROM user").await.unwrap();
    assert_eq!(
        (empty.tables.len(), empty.tables[0].table.as_str(), empty.tables[0].rows.len()),
        (1, "user", 0)
    );
    let error = client.query("SELECT * FROM nope").await.unwrap_err();
    assert_eq!(error, "no such table: `nope`. If the table exists, it may be marked private.");
    server.run(|tx| tx.insert(Note::new(2, "c")));
    assert!(client.hears_nothing().await);
}

#[tokio::test]
async fn everything_is_all_tables_and_views_but_events() {
    let server = world()
        .rows::<Note>([Note::new(1, "a")])
        .rows::<common::world::Banned>([User::new(1, "Eve", 1)])
        .start()
        .await;
    let mut client = Client::connect(&server).await;
    let first = client.subscribe(1, &["select * from *"]).await;
    let tables: Vec<_> = first.tables.iter().map(|table| table.table.as_str()).collect();
    assert_eq!(tables, ["banned", "note"], "by name, and without empty ones");
    client.send_call(&set_name("Ada".into())).await;
    let ReducerOutcome::Ok { update, .. } = outcome(&mut client).await.1 else { panic!() };
    let tables: Vec<_> =
        update.query_sets[0].tables.iter().map(|table| table.table.as_str()).collect();
    assert_eq!(tables, ["me", "user"]);
    client.send_call(&shout_all(vec!["a".into()])).await;
    let ReducerOutcome::Ok { update, .. } = outcome(&mut client).await.1 else { panic!() };
    assert!(update.query_sets.is_empty());
}

#[tokio::test]
async fn requests_of_one_frame_answer_in_order() {
    let server = world().start().await;
    let mut client = Client::connect(&server).await;
    let messages: Vec<_> = (0..5)
        .map(|_| lightlike_core::wire::ClientMessage::OneOffQuery {
            request_id: client.next_request(),
            query: "SELECT * FROM user".into(),
        })
        .collect();
    client.send(&messages).await;
    for message in messages {
        assert_eq!(client.message().await.request_id(), Some(message.request_id()));
    }
}
