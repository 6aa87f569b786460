//! Scenarios, each on one connection of its own.

use std::pin::Pin;

use lightlike::Client;
use lightlike::connection::Compression;
use lightlike_core::bsatn::to_vec;
use lightlike_core::wire::{BatchSet, ClientMessage, Protocol, QuerySetId, RequestId, Text};
use serde_json::json;

use crate::calls::*;
use crate::{Result, Stage};

/// Something to play.
pub(crate) struct Scenario {
    /// The name of its file.
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) compression: Compression,
    pub(crate) play: Play,
}

type Play = for<'s> fn(&'s Stage) -> Pin<Box<dyn Future<Output = Result> + 's>>;

const fn scenario(
    name: &'static str,
    protocol: Protocol,
    compression: Compression,
    play: Play,
) -> Scenario {
    Scenario { name, protocol, compression, play }
}

use Compression::{Brotli, Gzip, None as Plain};
use Protocol::{V2, V3};

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("v3-calls-in-one-frame", V3, Plain, |stage| Box::pin(calls_in_one_frame(stage))),
    scenario("v2-calls-at-once", V2, Plain, |stage| Box::pin(calls_in_one_frame(stage))),
    scenario("v3-bulk-plain", V3, Plain, |stage| Box::pin(bulk(stage))),
    scenario("v3-bulk-gzip", V3, Gzip, |stage| Box::pin(bulk(stage))),
    scenario("v3-bulk-brotli", V3, Brotli, |stage| Box::pin(bulk(stage))),
    scenario("v2-bulk-gzip", V2, Gzip, |stage| Box::pin(bulk(stage))),
    scenario("v3-one-off-queries", V3, Gzip, |stage| Box::pin(one_off_queries(stage))),
    scenario("v2-one-off-queries", V2, Plain, |stage| Box::pin(one_off_queries(stage))),
    scenario("v3-batch", V3, Plain, |stage| Box::pin(batch(stage))),
    scenario("v3-overlapping-sets", V3, Plain, |stage| Box::pin(overlapping_sets(stage))),
    scenario("v3-joins", V3, Plain, |stage| Box::pin(joins(stage))),
    scenario("v3-events", V3, Plain, |stage| Box::pin(events(stage))),
    scenario("v3-procedures", V3, Plain, |stage| Box::pin(procedures(stage))),
    scenario("v3-failing-calls", V3, Plain, |stage| Box::pin(failing_calls(stage))),
    scenario("v3-refused-sets", V3, Plain, |stage| Box::pin(refused_sets(stage))),
    scenario("v3-unsubscribing", V3, Plain, |stage| Box::pin(unsubscribing(stage))),
    scenario("v3-views", V3, Gzip, |stage| Box::pin(views(stage))),
];

/// Waits for outcomes that are errors, or not.
macro_rules! settle {
    ($($pending:expr),* $(,)?) => {{ $(let _ = $pending.await;)* }};
}

async fn end(client: Client) -> Result {
    client.disconnect().await;
    Ok(())
}

/// Calls that are made before the first is answered; what they write is also deleted.
async fn calls_in_one_frame(stage: &Stage) -> Result {
    let client = stage.client().await?;
    let set = client.subscribe(["SELECT * FROM pk_u_32", "SELECT * FROM one_u_8"]);
    set.applied().await?;
    let inserts = (1..=5).map(|key| client.call(insert_pk_u32(key, 10)).send());
    let inserts: Vec<_> = inserts.collect();
    let twice = [7, 7, 8].map(|value| client.call(insert_one_u8(value)).send());
    let others = (
        client.call(update_pk_u32(2, 20)).send(),
        client.call(insert_pk_u32(2, 30)).send(),
        client.call(rekey_pk_u32(3, 33)).send(),
        client.call(replace_pk_u32_with_itself(4)).send(),
        client.call(delete_pk_u32(5)).send(),
        client.call(no_op()).send(),
    );
    for pending in inserts {
        pending.await?;
    }
    for pending in twice {
        pending.await?;
    }
    settle!(others.0, others.1, others.2, others.3, others.4, others.5);
    stage.elsewhere("insert_one_u_8", json!([9])).await?;
    client.call(no_op()).await?;
    end(client).await
}

/// Bodies that are large enough to be compressed: initial rows, rows that come with a call and with somebody else's.
async fn bulk(stage: &Stage) -> Result {
    let client = stage.client().await?;
    client.call(insert_many(40, 60)).await?;
    let rows = client.subscribe("SELECT * FROM bulk");
    rows.applied().await?;
    let points = client.subscribe("SELECT * FROM bulk_point WHERE x < 30");
    points.applied().await?;
    client.call(insert_many_points(50)).await?;
    client.call(update_many(25)).await?;
    stage.elsewhere("insert_many", json!([25, 30])).await?;
    stage.elsewhere("delete_many", json!([20])).await?;
    client.call(delete_many(15)).await?;
    let at_once = [8; 6].map(|n| client.call(insert_many(n, 60)).send());
    for pending in at_once {
        pending.await?;
    }
    rows.unsubscribe().await?;
    end(client).await
}

/// Queries that are answered once: with rows, with none, with an error.
async fn one_off_queries(stage: &Stage) -> Result {
    let client = stage.client().await?;
    client.call(insert_many(30, 50)).await?;
    type Bulk = (u64, u32, String);
    client.query_sql::<Bulk>("SELECT * FROM bulk").await?;
    client.query_sql::<Bulk>("SELECT * FROM bulk WHERE id = 3").await?;
    client.query_sql::<Bulk>("SELECT * FROM bulk WHERE id = 300").await?;
    settle!(
        client.query_sql::<(u64,)>("SELECT COUNT(*) AS n FROM bulk"),
        client.query_sql::<Bulk>("SELECT * FROM nowhere"),
        client.query_sql::<Bulk>("SELECT * FORM bulk"),
        client.query_sql::<Bulk>("SELECT * FROM bulk WHERE nothing = 3"),
        client.query_sql::<Bulk>("INSERT INTO bulk (id, bucket, text) VALUES (99, 1, 'x')"),
        client.query_sql::<Bulk>(""),
    );
    let (one, call, two) = tokio::join!(
        client.query_sql::<Bulk>("SELECT * FROM bulk WHERE id = 1"),
        client.call(delete_many(29)).into_future(),
        client.query_sql::<Bulk>("SELECT * FROM bulk"),
    );
    one?;
    call?;
    two?;
    end(client).await
}

/// Several sets at once, one of which fails; all of which fail; then their ends, with and without the rows.
async fn batch(stage: &Stage) -> Result {
    let mut raw = stage.raw().await?;
    stage.elsewhere("insert_pk_u_32", json!([1, 1])).await?;
    stage.elsewhere("insert_pk_u_32", json!([2, 2])).await?;
    let set = |id, queries: &[&'static str]| BatchSet {
        query_set_id: QuerySetId(id),
        queries: queries.iter().map(|query| Text::from_static(query)).collect(),
    };
    let batch =
        |request, sets| ClientMessage::SubscribeBatch { request_id: RequestId(request), sets };
    raw.ask(&[batch(
        1,
        vec![
            set(10, &["SELECT * FROM pk_u_32"]),
            set(11, &["SELECT * FROM nowhere"]),
            set(12, &["SELECT * FROM pk_u_32 WHERE key < 3", "SELECT * FROM one_u_8"]),
        ],
    )])
    .await?;
    let call = |request, key: u32, data: i32| -> Result<ClientMessage> {
        Ok(ClientMessage::CallReducer {
            request_id: RequestId(request),
            reducer: Text::from_static("insert_pk_u_32"),
            args: to_vec(&(key, data))?.into(),
        })
    };
    raw.ask(&[
        call(2, 0, 5)?,
        batch(3, vec![set(13, &["SELECT * FROM nowhere"]), set(14, &["nonsense"])]),
        call(4, 7, 5)?,
    ])
    .await?;
    let unsubscribe = |request, set, send_dropped_rows| ClientMessage::Unsubscribe {
        request_id: RequestId(request),
        query_set_id: QuerySetId(set),
        send_dropped_rows,
    };
    raw.ask(&[unsubscribe(5, 12, true), call(6, 2, 9)?, call(7, 8, 9)?]).await?;
    raw.ask(&[unsubscribe(8, 11, false), batch(9, vec![set(15, &["SELECT * FROM one_u_8"])])])
        .await?;
    raw.ask(&[unsubscribe(10, 10, false), unsubscribe(11, 15, true)]).await?;
    raw.close().await
}

/// One row in several sets, and several times in one.
async fn overlapping_sets(stage: &Stage) -> Result {
    let client = stage.client().await?;
    for key in 1..=4 {
        client.call(insert_pk_u32(key, key as i32)).await?;
    }
    let all = client.subscribe("SELECT * FROM pk_u_32");
    all.applied().await?;
    let two = client
        .subscribe(["SELECT * FROM pk_u_32 WHERE key < 3", "SELECT * FROM pk_u_32 WHERE data < 4"]);
    two.applied().await?;
    client.call(update_pk_u32(1, 9)).await?;
    client.call(update_pk_u32(4, 0)).await?;
    client.call(delete_pk_u32(2)).await?;
    all.unsubscribe().await?;
    client.call(update_pk_u32(3, 50)).await?;
    client.call(update_pk_u32(1, 1)).await?;
    let same = client.subscribe("SELECT * FROM pk_u_32 WHERE key < 3");
    same.applied().await?;
    two.unsubscribe().await?;
    stage.elsewhere("delete_pk_u_32", json!([1])).await?;
    client.call(no_op()).await?;
    end(client).await
}

/// Rows that come and go because of another table's; one row through two other rows.
async fn joins(stage: &Stage) -> Result {
    let client = stage.client().await?;
    let join = "SELECT r.* FROM r JOIN s ON r.s_id = s.id WHERE s.visible = TRUE";
    let sets = (client.subscribe(join), client.subscribe("SELECT * FROM r WHERE id = 1"));
    sets.0.applied().await?;
    sets.1.applied().await?;
    let many = "SELECT pk_u_32.* FROM pk_u_32 JOIN btree_u_32 ON pk_u_32.key = btree_u_32.n";
    let many = client.subscribe([many, "SELECT * FROM pk_u_32_two"]);
    many.applied().await?;
    client.call(put_r(1, 7, "one".into())).await?;
    client.call(put_r(2, 7, "two".into())).await?;
    client.call(put_s(7, true)).await?;
    client.call(put_r(1, 7, "ONE".into())).await?;
    client.call(put_s(7, false)).await?;
    client.call(put_s(7, true)).await?;
    client.call(delete_s(7)).await?;
    let entries = |rows: &[(u32, i32)]| -> Vec<_> {
        rows.iter().map(|(n, data)| json!({ "n": n, "data": data })).collect()
    };
    let (keyed, twice) = (entries(&[(5, 1)]), entries(&[(5, 10), (5, 20)]));
    stage.elsewhere("insert_into_pk_btree_u_32", json!([keyed, twice])).await?;
    stage.elsewhere("delete_from_btree_u_32", json!([entries(&[(5, 10)])])).await?;
    client.call(delete_pk_u32_insert_pk_u32_two(5, 2)).await?;
    end(client).await
}

/// Rows that are delivered and not kept: in order, twice, to two sets, beside one that is kept, and not at all.
async fn events(stage: &Stage) -> Result {
    let client = stage.client().await?;
    client.call(emit_multiple_test_events()).await?;
    let all = client.subscribe(["SELECT * FROM test_event", "SELECT * FROM one_u_64"]);
    all.applied().await?;
    let ticks = client.subscribe("SELECT * FROM tick_event");
    ticks.applied().await?;
    client.call(emit_multiple_test_events()).await?;
    client.call(emit_same_event("again".into(), 3)).await?;
    client.call(emit_events(5)).await?;
    let some = client.subscribe("SELECT * FROM test_event WHERE value > 1");
    some.applied().await?;
    client.call(emit_multiple_test_events()).await?;
    client.call(emit_event_with_row("with".into(), 70)).await?;
    settle!(client.call(emit_event_and_fail("without".into())));
    stage.elsewhere("emit_multiple_test_events", json!([])).await?;
    all.unsubscribe().await?;
    client.call(emit_multiple_test_events()).await?;
    end(client).await
}

/// Values that procedures return, and what they write before they do.
async fn procedures(stage: &Stage) -> Result {
    let client = stage.client().await?;
    let rows = client.subscribe("SELECT * FROM procedure_row");
    rows.applied().await?;
    client.call_procedure(return_primitive(2, 40)).await?;
    client.call_procedure(return_struct(7, "seven".into())).await?;
    client.call_procedure(return_bytes(300)).await?;
    settle!(
        client.call_procedure(return_result(3)),
        client.call_procedure(return_result(4)),
        client.call_procedure(will_panic()),
        client.call_procedure(nobody_returns_this()),
    );
    client.call_procedure(insert_with_tx_commit()).await?;
    client.call_procedure(insert_with_tx_rollback()).await?;
    client.call_procedure(insert_with_two_txs()).await?;
    settle!(client.call_procedure(insert_then_panic()));
    let (procedure, reducer) =
        (client.call_procedure(insert_with_two_txs()).send(), client.call(insert_one_u8(1)).send());
    procedure.await?;
    reducer.await?;
    end(client).await
}

/// Each way in which a reducer fails. What it wrote does not come.
async fn failing_calls(stage: &Stage) -> Result {
    let client = stage.client().await?;
    let rows = client.subscribe(["SELECT * FROM one_u_8", "SELECT * FROM pk_u_32"]);
    rows.applied().await?;
    settle!(
        client.call(fail_with_string("as asked".into())),
        client.call(fail_with_empty_string()),
        client.call(fail_with_panic("as asked".into())),
        client.call(fail_after_insert(3)),
        client.call(nobody_has_this(3)),
        client.call(insert_half_of_pk_u32(3)),
        client.call(insert_pk_u32(1, 1)),
        client.call(insert_pk_u32(1, 2)),
        client.call(no_op()),
    );
    end(client).await
}

/// Sets that the server does not take, between some that it does.
async fn refused_sets(stage: &Stage) -> Result {
    let client = stage.client().await?;
    let good = client.subscribe("SELECT * FROM one_u_8");
    let bad = [
        client.subscribe("SELECT * FROM nowhere"),
        client.subscribe("SELECT * FORM one_u_8"),
        client.subscribe("SELECT * FROM secret"),
        client.subscribe("SELECT value FROM one_u_8"),
        client.subscribe(["SELECT * FROM one_u_8", "SELECT * FROM one_u_16 WHERE value = 'x'"]),
    ];
    for set in &bad {
        if set.applied().await.is_ok() {
            return Err("a set that was to be refused was applied".into());
        }
    }
    good.applied().await?;
    client.call(insert_one_u8(5)).await?;
    end(client).await
}

/// Sets that end: applied, before they are applied, together with a call, and one that is asked for again.
async fn unsubscribing(stage: &Stage) -> Result {
    let client = stage.client().await?;
    client.call(insert_one_u8(1)).await?;
    client.call(insert_pk_u32(1, 1)).await?;
    let first = client.subscribe("SELECT * FROM one_u_8");
    first.applied().await?;
    let kept = client.subscribe("SELECT * FROM pk_u_32");
    kept.applied().await?;
    first.unsubscribe().await?;
    client.call(insert_one_u8(2)).await?;
    let again = client.subscribe("SELECT * FROM one_u_8");
    let call = client.call(insert_one_u8(3)).send();
    // Whoever drops a subscription ends it.
    drop(client.subscribe("SELECT * FROM one_u_8"));
    drop(client.subscribe("SELECT * FROM nowhere"));
    again.applied().await?;
    call.await?;
    let before = client.call(insert_one_u8(4)).send();
    let (ended, after) =
        tokio::join!(again.unsubscribe(), async { client.call(insert_pk_u32(2, 2)).send().await },);
    before.await?;
    ended?;
    after?;
    end(client).await
}

/// Views, of which some change with the caller, and rows that only their owner sees.
async fn views(stage: &Stage) -> Result {
    let client = stage.client().await?;
    let views = client.subscribe([
        "SELECT * FROM my_player",
        "SELECT * FROM my_player_and_level",
        "SELECT * FROM players_at_level_0",
        "SELECT * FROM nearby_players",
        "SELECT * FROM player_count",
    ]);
    views.applied().await?;
    let queries = client.subscribe(["SELECT * FROM active_locations", "SELECT * FROM note"]);
    queries.applied().await?;
    client.call(move_player(1, 1)).await?;
    stage.elsewhere("move_player", json!([2, 2])).await?;
    client.call(move_player(9, 9)).await?;
    client.call(insert_note("mine".into())).await?;
    stage.elsewhere("insert_note", json!(["not mine"])).await?;
    client.call(move_player(-9, -9)).await?;
    views.unsubscribe().await?;
    end(client).await
}
