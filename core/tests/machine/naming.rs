//! Calls that name temporary ids of others.

use std::time::Duration;

use bytes::Bytes;
use lightlike_core::cache::{LocalTx, Mutation, NewIds, TempId as _};
use lightlike_core::conn::{
    CallId, CallOptions, CallRequest, Config, Connection, Event, NotSent, Reply,
};
use lightlike_core::named_ids::{NamedId, replace_ids};
use lightlike_core::schema::SatsType;
use lightlike_core::types::Timestamp;
use lightlike_core::wire::{
    ClientMessage, Protocol, QuerySetId, ReducerOutcome, RequestId, ServerMessage, Text,
    TransactionUpdate,
};

use crate::item::{Item, item};
use crate::rig::{Rig, committed, reducer, told, update};

/// Deletes the item whose id is all of the arguments.
pub(crate) struct Delete {
    pub(crate) args: Bytes,
    pub(crate) names: Vec<NamedId>,
}

impl Mutation for Delete {
    fn run(&self, tx: &mut LocalTx) {
        tx.delete_by(Item::ID, &id_of(&self.args));
    }

    fn names_ids(&self) -> bool {
        !self.names.is_empty()
    }

    fn with_ids(&self, ids: &NewIds) -> Option<Box<dyn Mutation>> {
        let (args, names) = replace_ids(&self.args, &self.names, |id| ids.get(id));
        (names.len() < self.names.len()).then(|| Box::new(Self { args, names }) as _)
    }
}

pub(crate) fn id_of(args: &[u8]) -> u32 {
    u32::from_le_bytes(args[..4].try_into().unwrap())
}

pub(crate) fn inserted(items: &[Item]) -> TransactionUpdate {
    let bytes: Vec<_> = items.iter().map(|item| item.bytes()).collect();
    update(QuerySetId(0), &bytes.iter().map(|bytes| &bytes[..]).collect::<Vec<_>>(), &[])
}

impl Rig {
    /// A call that inserts items of these values, under ids that the server gives.
    fn add(&mut self, values: &'static [u32]) -> CallId {
        self.expecting("add", move |tx| {
            for value in values {
                let id = tx.temp_id();
                tx.insert(item(id, *value));
            }
        })
    }

    fn expecting(
        &mut self,
        name: &'static str,
        run: impl Fn(&mut LocalTx) + Send + 'static,
    ) -> CallId {
        let call = self.connection.call(reducer(name), None);
        self.connection.optimistic(self.now, call, Box::new(run)).unwrap();
        call
    }

    fn delete(&mut self, id: u32) -> CallId {
        self.delete_with(id, |_| ())
    }

    pub(crate) fn delete_with(&mut self, id: u32, change: impl FnOnce(&mut CallOptions)) -> CallId {
        let args = Bytes::copy_from_slice(&id.to_le_bytes());
        let named = self.connection.name_ids([SatsType::U32.into()], args);
        let mut options = CallOptions { names: named.names.clone(), ..CallOptions::default() };
        change(&mut options);
        let name = Text::from_static("delete");
        let request = CallRequest::Reducer { name, args: named.args.clone() };
        let call = self.connection.call_with(self.now, request, options);
        let mutation = Delete { args: named.args, names: named.names };
        self.connection.optimistic(self.now, call, Box::new(mutation)).unwrap();
        call
    }

    /// The calls that have been sent, with their arguments.
    pub(crate) fn calls(&mut self) -> Vec<(String, Vec<u8>)> {
        let calls = self.sent().into_iter().filter_map(|message| match message {
            ClientMessage::CallReducer { reducer, args, .. } => {
                Some((reducer.to_string(), args.to_vec()))
            }
            _ => None,
        });
        calls.collect()
    }

    /// The ids that `delete` has been called with.
    fn deleted(&mut self) -> Vec<u32> {
        let deletes = self.calls().into_iter().filter(|(name, _)| name == "delete");
        deletes.map(|(_, args)| id_of(&args)).collect()
    }

    fn refused(&mut self, request_id: u32) {
        self.server(ServerMessage::ReducerResult {
            request_id: RequestId(request_id),
            timestamp: Timestamp::from_micros(5),
            outcome: ReducerOutcome::Err(Bytes::from_static(b"no")),
        });
    }
}

pub(crate) fn items(connection: &Connection) -> Vec<Item> {
    let view = connection.reader().read();
    let mut items: Vec<_> = view.table::<Item>().unwrap().iter().copied().collect();
    items.sort();
    items
}

/// Online, with an empty set that is applied.
fn rig() -> Rig {
    let mut rig = Rig::with(Config::default()).greeted(Protocol::V3);
    rig.connection.register::<Item>().unwrap();
    rig.applied(&[]);
    rig
}

#[test]
fn call_with_temporary_id_gets_servers_id() {
    let mut rig = rig();
    rig.add(&[10]);
    let temporary = items(&rig.connection)[0].id;
    assert!(temporary.is_temp_id());
    rig.delete(temporary);
    assert_eq!(items(&rig.connection), []);
    let names: Vec<_> = rig.calls().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["add"]);
    let _ = rig.events();

    // The row never comes back.
    rig.server(committed(RequestId(1), inserted(&[item(7, 10)])));
    assert_eq!(told(&rig.events()), ["call 1 has other arguments", "call 0: Committed"]);
    assert_eq!(items(&rig.connection), []);
    assert_eq!(rig.deleted(), [7]);
    assert_eq!(rig.connection.server_id(&temporary), Some(7));
    let gone = update(QuerySetId(0), &[], &[&item(7, 10).bytes()]);
    rig.server(committed(RequestId(2), gone));
    assert_eq!(told(&rig.events()), ["call 1: Committed"]);
    assert_eq!(items(&rig.connection), []);
}

#[test]
fn known_id_is_replaced_when_call_is_made() {
    let mut rig = rig();
    rig.add(&[10]);
    let temporary = items(&rig.connection)[0].id;
    rig.server(committed(RequestId(1), inserted(&[item(7, 10)])));
    let _ = (rig.events(), rig.calls());
    rig.delete(temporary);
    assert_eq!(rig.deleted(), [7]);
    assert_eq!(items(&rig.connection), []);
}

#[test]
fn later_calls_keep_their_order() {
    let mut rig = rig();
    rig.add(&[10]);
    let temporary = items(&rig.connection)[0].id;
    rig.delete(temporary);
    rig.call("behind");
    let names = |rig: &mut Rig| -> Vec<_> { rig.calls().into_iter().map(|it| it.0).collect() };
    assert_eq!(names(&mut rig), ["add"]);
    rig.server(committed(RequestId(1), inserted(&[item(7, 10)])));
    let _ = rig.events();
    assert_eq!(names(&mut rig), ["delete", "behind"]);
}

#[test]
fn call_naming_refused_calls_id_is_not_sent() {
    let mut rig = rig();
    rig.add(&[10]);
    let temporary = items(&rig.connection)[0].id;
    rig.delete(temporary);
    rig.call("behind");
    let _ = (rig.events(), rig.calls());
    rig.refused(1);
    let events = rig.events();
    assert_eq!(told(&events), ["call 0: Rejected", "call 1: NotSent"]);
    let Event::Answered { reply: Reply::NotSent(NotSent::TempId { id }), .. } = &events[1] else {
        panic!("{events:?}")
    };
    assert_eq!(id.to_string(), temporary.to_string());
    assert_eq!(rig.calls().len(), 1, "the one behind it");
    assert_eq!(items(&rig.connection), []);
}

#[test]
fn chain_of_thousands_fails_without_recursion() {
    let mut rig = rig();
    rig.add(&[10]);
    for _ in 0..5000 {
        let last = items(&rig.connection).pop().unwrap().id;
        // Each deletes the row of the one before, and inserts another.
        let args = Bytes::copy_from_slice(&last.to_le_bytes());
        let named = rig.connection.name_ids([SatsType::U32.into()], args);
        let options = CallOptions { names: named.names, ..CallOptions::default() };
        let name = Text::from_static("replace");
        let request = CallRequest::Reducer { name, args: named.args };
        let call = rig.connection.call_with(rig.now, request, options);
        let run = move |tx: &mut LocalTx| {
            tx.delete_by(Item::ID, &last);
            let id = tx.temp_id();
            tx.insert(item(id, 10));
        };
        rig.connection.optimistic(rig.now, call, Box::new(run)).unwrap();
        while rig.connection.poll_event().is_some() {}
    }
    rig.refused(1);
    let not_sent = told(&rig.events()).iter().filter(|line| line.ends_with("NotSent")).count();
    assert_eq!(not_sent, 5000);
    assert_eq!(rig.connection.pending_calls(), 0);
}

#[test]
fn rows_are_told_apart_by_content() {
    let mut rig = rig();
    rig.add(&[10, 20]);
    let temporary = items(&rig.connection);
    rig.delete(temporary[1].id);
    rig.delete(temporary[0].id);
    let _ = (rig.events(), rig.calls());
    // The server's order is another, and it inserts one more.
    let rows = [item(5, 99), item(7, 20), item(8, 10)];
    rig.server(committed(RequestId(1), inserted(&rows)));
    let _ = rig.events();
    assert_eq!(rig.deleted(), [7, 8]);
    assert_eq!(items(&rig.connection), [item(5, 99)]);
}

#[test]
fn only_row_left_is_the_one() {
    let mut rig = rig();
    rig.add(&[10]);
    let temporary = items(&rig.connection)[0].id;
    rig.delete(temporary);
    let _ = (rig.events(), rig.calls());
    // Some columns only the server knows.
    rig.server(committed(RequestId(1), inserted(&[item(7, 11)])));
    let _ = rig.events();
    assert_eq!(rig.deleted(), [7]);
}

#[test]
fn ambiguous_rows_are_not_taken_for_others() {
    let mut rig = rig();
    rig.add(&[10]);
    let temporary = items(&rig.connection)[0].id;
    rig.delete(temporary);
    let _ = (rig.events(), rig.calls());
    rig.server(committed(RequestId(1), inserted(&[item(7, 11), item(8, 12)])));
    assert_eq!(told(&rig.events()), ["transaction: Call", "call 0: Committed", "call 1: NotSent"]);
    assert_eq!(rig.deleted(), [0; 0]);
    assert_eq!(items(&rig.connection), [item(7, 11), item(8, 12)]);
}

#[test]
fn condition_says_which_row_is_meant() {
    let mut rig = rig();
    rig.expecting("add", |tx| {
        let id = tx.temp_id_where(|item: &Item| item.value % 10 == 2);
        tx.insert(item(id, 10));
    });
    let temporary = items(&rig.connection)[0].id;
    rig.delete(temporary);
    let _ = (rig.events(), rig.calls());
    rig.server(committed(RequestId(1), inserted(&[item(7, 11), item(8, 12)])));
    let _ = rig.events();
    assert_eq!(rig.deleted(), [8]);
    assert_eq!(items(&rig.connection), [item(7, 11)]);
}

#[test]
fn condition_that_panics_says_no() {
    let mut rig = rig();
    rig.expecting("add", |tx| {
        let id = tx.temp_id_where(|_: &Item| panic!("no more ink"));
        tx.insert(item(id, 10));
    });
    let temporary = items(&rig.connection)[0].id;
    rig.delete(temporary);
    let _ = (rig.events(), rig.calls());
    rig.server(committed(RequestId(1), inserted(&[item(7, 10)])));
    assert!(told(&rig.events()).contains(&"call 1: NotSent".to_owned()));
}

#[test]
fn call_naming_lost_calls_id_is_not_sent() {
    let mut rig = rig();
    rig.add(&[10]);
    let temporary = items(&rig.connection)[0].id;
    rig.delete_with(temporary, |options| {
        options.while_disconnected = Some(lightlike_core::conn::WhileDisconnected::Wait);
    });
    let _ = rig.events();
    rig.lose();
    // The row may be there or not, until the rows are resynced.
    let expected = ["call 0: Unknown", "Reconnecting", "transaction: Reverted", "call 1: NotSent"];
    assert_eq!(told(&rig.events()), expected);
}

#[test]
fn id_of_timed_out_call_is_waited_for() {
    let mut rig = rig();
    let deadline = rig.now + Duration::from_secs(1);
    let call = rig.connection.call(reducer("add"), Some(deadline));
    let run = |tx: &mut LocalTx| {
        let id = tx.temp_id();
        tx.insert(item(id, 10));
    };
    rig.connection.optimistic(rig.now, call, Box::new(run)).unwrap();
    let temporary = items(&rig.connection)[0].id;
    rig.delete(temporary);
    let _ = rig.events();
    rig.sleep();
    assert_eq!(told(&rig.events()), ["call 0: timed out, sent: true"]);
    let _ = rig.calls();
    rig.server(committed(RequestId(1), inserted(&[item(7, 10)])));
    let _ = rig.events();
    assert_eq!(rig.deleted(), [7]);
}

#[test]
fn call_naming_timed_out_call_ends_with_connection() {
    let mut rig = rig();
    let deadline = rig.now + Duration::from_secs(1);
    let call = rig.connection.call(reducer("add"), Some(deadline));
    let run = |tx: &mut LocalTx| {
        let id = tx.temp_id();
        tx.insert(item(id, 10));
    };
    rig.connection.optimistic(rig.now, call, Box::new(run)).unwrap();
    let temporary = items(&rig.connection)[0].id;
    rig.delete_with(temporary, |options| {
        options.while_disconnected = Some(lightlike_core::conn::WhileDisconnected::Wait);
    });
    rig.sleep();
    let _ = rig.events();
    rig.lose();
    let expected = ["Reconnecting", "transaction: Reverted", "call 1: NotSent"];
    assert_eq!(told(&rig.events()), expected);
}

#[test]
fn value_without_pending_id_stays() {
    let mut rig = rig();
    rig.add(&[10]);
    let temporary = items(&rig.connection)[0].id;
    let _ = rig.calls();
    // Next to it, none of anybody, and what stands for none in many programs.
    for id in [temporary + 1, u32::temp_id(1 << 21, 0), u32::MAX, 0] {
        rig.delete(id);
        assert_eq!(rig.deleted(), [id]);
    }
}
