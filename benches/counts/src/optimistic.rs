//! Calls that are expected to do something.

use bytes::Bytes;
use lightlike_core::cache::LocalTx;
use lightlike_core::conn::CallRequest;
use lightlike_core::schema::Table;
use lightlike_core::types::Timestamp;
use lightlike_core::wire::{
    QuerySetUpdate, ReducerOutcome, RequestId, RowList, ServerMessage, TableName, TableUpdate,
    Text, TransactionUpdate, UpdateRows,
};

use crate::input::{self, Entity};
use crate::measured;
use crate::rig::{Rig, body};

/// Calls that are all in flight before the first answer comes, each of which is expected to change a row, and does.
pub(crate) fn in_flight(calls: u64) {
    let mut rig = Rig::holding_entities(calls);
    let requests = rig.requests;
    let answers: Vec<_> = (0..calls).map(|n| rig.commit(requests + n as u32, n)).collect();
    measured(|| {
        for id in 0..calls {
            rig.expect(id..id + 1);
            rig.settle(|_| ());
        }
        for answer in answers {
            rig.receive(answer);
            rig.settle(|transaction| assert!(transaction.is_empty()));
        }
    });
    let view = rig.read();
    let table = view.table::<Entity>().expect("a table");
    assert!((0..calls).all(|id| table.get(&id).is_some_and(|row| row.hp == input::hp(id, 1))));
}

/// As [`in_flight`], where all calls change the same row.
pub(crate) fn on_one_row(calls: u64) {
    let mut rig = Rig::holding_entities(1);
    let requests = rig.requests;
    let answers: Vec<_> =
        (0..calls).map(|n| rig.answer(requests + n as u32, 0, [n as i32, n as i32 + 1])).collect();
    measured(|| {
        for _ in 0..calls {
            rig.expect(0..1);
            rig.settle(|_| ());
        }
        for answer in answers {
            rig.receive(answer);
            rig.settle(|transaction| assert!(transaction.is_empty()));
        }
    });
    let view = rig.read();
    let table = view.table::<Entity>().expect("a table");
    assert_eq!(table.get(&0).map(|row| row.hp), Some(input::hp(0, calls as i32)));
}

/// A transaction that replaces `changed` rows, beside `pending` calls of ten other rows each.
pub(crate) fn beside(changed: u64, pending: u64) {
    let mut rig = Rig::holding_entities(changed + 10 * pending);
    for call in 0..pending {
        let first = changed + 10 * call;
        rig.expect(first..first + 10);
    }
    rig.settle(|_| ());
    let rows = |revision| input::entities(0..changed, revision);
    // The first one makes room for two versions of a row.
    for revision in [1, 2] {
        let body = rig.update::<Entity>(rows(revision), rows(revision - 1));
        let settle = || {
            rig.receive(body);
            rig.settle(|transaction| assert_eq!(transaction.tables()[0].len() as u64, changed));
        };
        if revision == 1 { settle() } else { measured(settle) }
    }
}

impl Rig {
    /// Makes a call that is expected to wound these entities.
    fn expect(&mut self, ids: std::ops::Range<u64>) {
        let request = CallRequest::Reducer { name: Text::from_static("wound"), args: Bytes::new() };
        let call = self.connection.call(request, None);
        let wound = move |tx: &mut LocalTx| {
            for id in ids.clone() {
                let entity = tx.find(Entity::ID, &id).expect("an entity that is there");
                let entity = Entity { hp: entity.hp + 1, ..entity.clone() };
                tx.update(entity);
            }
        };
        self.connection.optimistic(self.now, call, Box::new(wound)).expect("it can be");
        while self.connection.poll_action().is_some() {}
    }

    /// The answer to a request, with an entity's row as it was expected.
    fn commit(&self, request: u32, id: u64) -> Bytes {
        self.answer(request, id, [0, 1])
    }

    /// The answer to a request, with an entity's row of one revision in the place of that of another.
    fn answer(&self, request: u32, id: u64, [from, to]: [i32; 2]) -> Bytes {
        let row = |revision| RowList::from_rows(input::entities(id..id + 1, revision));
        let rows = vec![UpdateRows::Persistent { inserts: row(to), deletes: row(from) }];
        let tables = vec![TableUpdate { table: TableName::from(Entity::DEF.name), rows }];
        let query_sets = vec![QuerySetUpdate { query_set_id: self.set, tables }];
        body(&ServerMessage::ReducerResult {
            request_id: RequestId(request),
            timestamp: Timestamp::from_micros(5),
            outcome: ReducerOutcome::Ok {
                ret_value: Bytes::new(),
                update: TransactionUpdate { query_sets },
            },
        })
    }
}
