//! Kept calls that name temporary ids of others.

use lightlike_core::cache::{LocalTx, TempId as _};
use lightlike_core::conn::CallId;
use lightlike_core::journal::Delivery::AtLeastOnce;
use lightlike_core::journal::Failure;
use lightlike_core::wire::{RequestId, TransactionUpdate};

use super::Offline;
use crate::item::{Item, item};
use crate::naming::{Delete, id_of, inserted, items};
use crate::rig::committed;

fn add(tx: &mut LocalTx) {
    let id = tx.temp_id();
    tx.insert(item(id, 10));
}

impl Offline {
    fn with_items() -> Self {
        let mut offline = Self::new();
        offline.connection().register::<Item>().unwrap();
        offline
    }

    fn add(&mut self) -> u32 {
        let call = self.call("add", AtLeastOnce);
        self.rig.connection.optimistic(self.rig.now, call, Box::new(add)).unwrap();
        items(&self.rig.connection).pop().unwrap().id
    }

    fn delete(&mut self, id: u32) -> CallId {
        self.rig.delete_with(id, |options| options.delivery = AtLeastOnce)
    }

    /// The program is started again, with its mutators.
    fn restart_with_mutators(self) -> Self {
        let mut offline = self.restart();
        offline.connection().register::<Item>().unwrap();
        for restored in offline.restored.clone() {
            let (call, now) = (restored.call, offline.rig.now);
            let connection = &mut offline.rig.connection;
            if restored.reducer == "add" {
                connection.optimistic(now, call, Box::new(add)).unwrap();
            } else {
                let delete = Delete { args: restored.args, names: restored.names };
                connection.optimistic(now, call, Box::new(delete)).unwrap();
            }
        }
        offline
    }
}

#[test]
fn temporary_ids_are_the_same_after_restart() {
    let mut offline = Offline::with_items();
    let ids = [offline.add(), offline.add()];
    assert!(ids.is_sorted() && ids[0].is_temp_id());
    offline.store();
    let mut offline = offline.restart_with_mutators();
    assert_eq!(items(offline.connection()), ids.map(|id| item(id, 10)));
    // A new one is another, and sorts behind.
    assert!(offline.add() > ids[1]);
}

#[test]
fn kept_call_gets_servers_id_after_restart() {
    let mut offline = Offline::with_items();
    let temporary = offline.add();
    offline.delete(temporary);
    offline.store();
    let mut offline = offline.restart_with_mutators();
    assert_eq!(items(offline.connection()), []);
    offline.rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    let _ = offline.connect();
    let sent = offline.rig.sent();
    let subscribed = sent.iter().find_map(|message| match message {
        lightlike_core::wire::ClientMessage::Subscribe { request_id, query_set_id, .. } => {
            Some((*request_id, *query_set_id))
        }
        _ => None,
    });
    let (request, set) = subscribed.unwrap();
    offline.rig.server(crate::rig::applied(request, set, &[]));
    let _ = offline.told();
    let add = RequestId(request.0 + 1);
    offline.rig.server(committed(add, inserted(&[item(7, 10)])));
    let _ = offline.told();
    offline.store();
    let calls = offline.rig.calls();
    let [(name, args)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((name.as_str(), id_of(args)), ("delete", 7));
    assert_eq!(items(offline.connection()), []);
    // What the journal has is the server's id, with the end of the call that it is of.
    let mut offline = offline.restart();
    let queued = offline.connection().queued_calls();
    let [delete] = &queued[..] else { panic!("{queued:?}") };
    assert_eq!((delete.reducer.as_str(), id_of(&delete.args)), ("delete", 7));
    let _ = offline.connect();
    assert_eq!(offline.called(), ["delete"]);
}

#[test]
fn kept_call_with_unknown_id_becomes_dead_letter() {
    let mut offline = Offline::with_items();
    let temporary = offline.add();
    offline.delete(temporary);
    offline.store();
    let mut offline = offline.restart_with_mutators();
    let _ = offline.connect();
    assert_eq!(offline.called(), ["add"]);
    // It brings no row, so nobody knows its id.
    offline.rig.server(committed(RequestId(0), TransactionUpdate::default()));
    let told = offline.told();
    assert!(told.contains(&"call 1: NotSent".to_owned()), "{told:?}");
    let letters = offline.connection().dead_letters();
    let Failure::TempId { id } = &letters[0].failure else { panic!("{letters:?}") };
    assert_eq!(**id, *temporary.to_string());
    // Made again it fails again, and is not sent with an id that means nothing.
    let letter = letters[0].id;
    assert!(offline.connection().retry_dead_letter(letter).is_some());
    offline.store();
    let _ = offline.told();
    assert_eq!(offline.called(), [""; 0]);
    assert_eq!(offline.connection().dead_letters().len(), 1);
}

#[test]
fn call_naming_held_calls_id_blocks_no_others() {
    let mut offline = Offline::with_items();
    let call = offline.call_with("add", |options| {
        options.delivery = AtLeastOnce;
        options.fingerprint = 10;
    });
    offline.rig.connection.optimistic(offline.rig.now, call, Box::new(add)).unwrap();
    let temporary = items(&offline.rig.connection).pop().unwrap().id;
    offline.delete(temporary);
    offline.call("behind", AtLeastOnce);
    offline.store();
    let mut offline = offline.restart_with_mutators();
    offline.connection().expect_arguments("add", Some(11));
    let _ = offline.connect();
    assert_eq!(offline.called(), ["behind"]);
    // When the held one is made anew, the other follows it.
    let held = offline.connection().queued_calls()[0].id;
    assert!(offline.connection().migrate(held, bytes::Bytes::new(), 11).is_some());
    offline.store();
    assert_eq!(offline.called(), ["add"]);
    assert_eq!(offline.connection().pending_calls(), 3);
    offline.rig.server(committed(RequestId(1), TransactionUpdate::default()));
    let told = offline.told();
    assert!(told.contains(&"call 1: NotSent".to_owned()), "{told:?}");
}
