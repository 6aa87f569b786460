//! Events: delivered once a transaction, whatever number of queries returns them.

use lightlike_core::cache::RowChange;
use lightlike_core::conn::{Action, Config, Event, TransactionEvent};
use lightlike_core::wire::{
    ClientMessage, Protocol, QuerySetId, QuerySetUpdate, RowList, ServerMessage, TableName,
    TableUpdate, TransactionUpdate, UpdateRows,
};

use crate::rig::{Rig, applied, greeting};

/// Events of the table `t`, a list a query.
fn events(set: u32, lists: &[&[&[u8]]]) -> QuerySetUpdate {
    let list = |rows: &&[&[u8]]| UpdateRows::Event { events: RowList::from_rows(rows.iter()) };
    let rows = lists.iter().map(list).collect();
    let tables = vec![TableUpdate { table: TableName::from("t"), rows }];
    QuerySetUpdate { query_set_id: QuerySetId(set), tables }
}

fn transaction(query_sets: Vec<QuerySetUpdate>) -> ServerMessage {
    ServerMessage::TransactionUpdate(TransactionUpdate { query_sets })
}

/// The events that were delivered, as text.
fn delivered(rig: &mut Rig) -> Vec<String> {
    let mut rows = Vec::new();
    for event in rig.events() {
        let Event::Transaction(TransactionEvent { transaction, .. }) = event else { continue };
        for table in transaction.tables() {
            table.for_each_encoded(&transaction, |change| {
                if let RowChange::Event(row) = change {
                    rows.push(String::from_utf8(row.to_vec()).unwrap());
                }
            });
        }
    }
    rows
}

/// Applied sets of no rows, with these queries.
fn with_sets(mut rig: Rig, sets: &[&[&str]]) -> Rig {
    for queries in sets {
        let queries = queries.iter().map(|query| Box::from(*query)).collect();
        let _ = rig.connection.subscribe(queries);
    }
    answer(&mut rig, usize::MAX);
    rig
}

/// Answers the subscriptions that were sent, at most `count`; gives back the others.
fn answer(rig: &mut Rig, count: usize) -> Vec<ClientMessage> {
    let mut sent = rig.sent();
    let others = sent.split_off(count.min(sent.len()));
    for message in sent {
        let ClientMessage::Subscribe { request_id, query_set_id, .. } = message else {
            panic!("{message:?}")
        };
        rig.server(applied(request_id, query_set_id, &[]));
    }
    let _ = rig.events();
    others
}

#[test]
fn event_of_two_sets_is_delivered_once() {
    let mut rig = with_sets(Rig::online(), &[&["SELECT * FROM t"], &["SELECT * FROM t"]]);
    rig.server(transaction(vec![events(0, &[&[b"a", b"b"]]), events(1, &[&[b"b", b"c"]])]));
    assert_eq!(delivered(&mut rig), ["a", "b", "c"]);
    rig.server(transaction(vec![events(0, &[&[b"a"]]), events(1, &[&[b"a"]])]));
    assert_eq!(delivered(&mut rig), ["a"], "the next transaction's is another");
}

#[test]
fn event_of_two_queries_is_delivered_once() {
    let queries = ["SELECT * FROM t", "SELECT * FROM t WHERE n = 1"];
    let mut rig = with_sets(Rig::online(), &[&queries]);
    rig.server(transaction(vec![events(0, &[&[b"a", b"b"], &[b"b"]])]));
    assert_eq!(delivered(&mut rig), ["a", "b"]);
    rig.server(transaction(vec![events(0, &[&[b"a", b"b", b"b"]])]));
    assert_eq!(delivered(&mut rig), ["a", "b"], "lists that the server put together");
}

#[test]
fn event_that_a_join_repeats_is_delivered_once() {
    let mut rig = with_sets(Rig::online(), &[&["SELECT t.* FROM t join u ON t.n = u.n"]]);
    rig.server(transaction(vec![events(0, &[&[b"a", b"b", b"a"]])]));
    assert_eq!(delivered(&mut rig), ["a", "b"]);
}

/// A resync gathers the transactions that come while sets are answered: an event in each is two.
#[test]
fn events_within_a_resync_stay_apart_by_transaction() {
    let all: &[&str] = &["SELECT * FROM t"];
    let rig = Rig::with(Config::default()).greeted(Protocol::V2);
    let mut rig = with_sets(rig, &[all, all, all]);
    rig.lose();
    let _ = rig.events();
    while !rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
        rig.sleep();
    }
    rig.connection.handle_opened(Protocol::V2);
    rig.server(greeting());
    let _ = rig.events();
    let others = answer(&mut rig, 2);
    for _ in 0..2 {
        rig.server(transaction(vec![events(3, &[&[b"a"]]), events(4, &[&[b"a"]])]));
    }
    assert!(delivered(&mut rig).is_empty());
    let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = others[..] else {
        panic!("{others:?}")
    };
    rig.server(applied(request_id, query_set_id, &[]));
    assert_eq!(delivered(&mut rig), ["a", "a"]);
}
