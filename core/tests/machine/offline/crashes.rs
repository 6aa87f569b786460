//! Crashes at every moment: a program that is killed, a disk that fails, a socket that is cut, at random.

use std::collections::{BTreeMap, BTreeSet};

use lightlike_core::conn::{Action, Event, LiveReducer, Reply};
use lightlike_core::driver::FileStore;
use lightlike_core::journal::Delivery::{AtLeastOnce, AtMostOnce, Probe};
use lightlike_core::journal::{Batch, Delivery, Store as _};
use lightlike_core::types::Uuid;
use lightlike_core::wire::{
    ClientMessage, Protocol, QueryRows, RequestId, RowList, ServerMessage, TableName, TableRows,
    TransactionUpdate,
};
use proptest::prelude::*;

use super::Offline;
use crate::rig::{committed, greeting};

/// One step of a history.
#[derive(Debug, Clone, Copy)]
enum Step {
    Call(u8),
    /// The disk writes the next batch.
    Write,
    /// The disk fails at the next batch.
    Fail,
    Connect,
    Cut,
    /// The server reads what was sent.
    Run,
    /// The server's answers arrive.
    Answer,
    /// The program is killed and started again.
    Kill,
    /// It is said what the server's reducers take.
    Learn(Schema),
}

/// State of the server's reducers, as the machine is told.
#[derive(Debug, Clone, Copy)]
enum Schema {
    /// That nobody knows.
    Nothing,
    /// That calls fit.
    Fits,
    /// That there is no such reducer.
    Gone,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Call),
        6 => Just(Step::Write),
        4 => Just(Step::Connect),
        2 => Just(Step::Cut),
        5 => Just(Step::Run),
        4 => Just(Step::Answer),
        2 => Just(Step::Kill),
        2 => prop_oneof![Just(Schema::Nothing), Just(Schema::Fits), Just(Schema::Gone)]
            .prop_map(Step::Learn),
    ]
}

/// Facts about a call that the application may know, over all runs of the program.
#[derive(Debug, Default)]
struct Known {
    delivery: Option<Delivery>,
    accepted: bool,
    committed: u32,
    unknown: u32,
    /// Number of times that the server ran it.
    ran: u32,
}

struct World {
    offline: Option<Offline>,
    calls: BTreeMap<u64, Known>,
    /// The journal's names of calls, by their number in the program's run.
    names: BTreeMap<u64, u64>,
    next: u64,
    /// Batches that the disk has not written.
    unwritten: Vec<Batch>,
    answers: Vec<ServerMessage>,
    online: bool,
    started: bool,
    /// Has what the disk has, where it is to be damaged.
    file: Option<DamagedFile>,
}

/// A store in a file, and the folder that it is in.
struct DamagedFile {
    store: Option<FileStore>,
    folder: tempfile::TempDir,
}

impl DamagedFile {
    fn new() -> Self {
        let folder = match std::path::Path::new("/dev/shm") {
            // Nothing here depends on what is synced.
            memory if memory.is_dir() => tempfile::tempdir_in(memory).unwrap(),
            _ => tempfile::tempdir().unwrap(),
        };
        let store = Some(FileStore::open(folder.path().join("store")).unwrap());
        Self { store, folder }
    }

    fn damage(&mut self, flips: &[(u16, u8)]) -> FileStore {
        drop(self.store.take());
        let path = self.folder.path().join("store");
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, bit) in flips {
            let at = usize::from(*at) % bytes.len();
            bytes[at] ^= 1 << (bit % 8);
        }
        std::fs::write(&path, bytes).unwrap();
        FileStore::open(path).unwrap()
    }
}

fn number(id: Uuid) -> u64 {
    id.to_u128() as u64
}

impl World {
    fn new() -> Self {
        Self {
            offline: Some(Offline::new()),
            calls: BTreeMap::new(),
            names: BTreeMap::new(),
            next: 0,
            unwritten: Vec::new(),
            answers: Vec::new(),
            online: false,
            started: false,
            file: None,
        }
    }

    fn offline(&mut self) -> &mut Offline {
        self.offline.as_mut().unwrap()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Call(kind) => self.call(kind),
            Step::Write => self.write(true),
            Step::Fail => self.write(false),
            Step::Connect => self.connect(),
            Step::Cut => self.cut(),
            Step::Run => self.run(),
            Step::Answer => self.answer(),
            Step::Kill => self.kill(),
            Step::Learn(schema) => self.learn(schema),
        }
        self.hear();
    }

    fn call(&mut self, kind: u8) {
        let number = self.next;
        self.next += 1;
        let delivery = match kind % 3 {
            0 => AtMostOnce,
            1 => AtLeastOnce,
            _ => Probe(number.to_string().into()),
        };
        self.calls.insert(number, Known { delivery: Some(delivery.clone()), ..Known::default() });
        let rig = &mut self.offline().rig;
        let request = lightlike_core::conn::CallRequest::Reducer {
            name: "f".into(),
            args: number.to_le_bytes().to_vec().into(),
        };
        let options = lightlike_core::conn::CallOptions {
            delivery,
            id: Some(Uuid::from_u128(number.into())),
            tell_accepted: true,
            ..Default::default()
        };
        let call = rig.connection.call_with(rig.now, request, options);
        self.names.insert(call.0, number);
    }

    fn gather(&mut self) {
        while let Some(batch) = self.offline().connection().poll_commit() {
            self.unwritten.push(batch);
        }
    }

    fn write(&mut self, works: bool) {
        self.gather();
        if self.unwritten.is_empty() {
            return;
        }
        let batch = self.unwritten.remove(0);
        let result = if works { Ok(()) } else { Err("the disk failed".into()) };
        if works {
            self.offline().disk.commit(&batch.writes()).unwrap();
            if let Some(file) = &mut self.file {
                file.store.as_mut().unwrap().commit(&batch.writes()).unwrap();
            }
        } else {
            self.unwritten.clear();
        }
        self.offline().connection().handle_stored(batch.ticket, result);
    }

    fn connect(&mut self) {
        if self.online {
            return;
        }
        let started = std::mem::replace(&mut self.started, true);
        let rig = &mut self.offline().rig;
        if !started {
            rig.connection.start(rig.now);
        }
        while !rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
            rig.sleep();
        }
        rig.connection.handle_opened(Protocol::V3);
        rig.server(greeting());
        self.online = true;
    }

    fn cut(&mut self) {
        if self.online {
            self.offline().lose();
            self.answers.clear();
            self.online = false;
        }
    }

    /// The server runs what was sent. Each call says by its arguments which one it is.
    fn run(&mut self) {
        if !self.online {
            return;
        }
        for message in self.offline().rig.sent() {
            match message {
                ClientMessage::CallReducer { request_id, args, .. } => {
                    let number = u64::from_le_bytes(args[..].try_into().unwrap());
                    self.calls.get_mut(&number).unwrap().ran += 1;
                    self.answers.push(committed(request_id, TransactionUpdate::default()));
                }
                ClientMessage::OneOffQuery { request_id, query } => {
                    let number: u64 = query.parse().unwrap();
                    self.answers.push(probed(request_id, self.calls[&number].ran > 0));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn answer(&mut self) {
        for answer in std::mem::take(&mut self.answers) {
            self.offline().rig.server(answer);
        }
    }

    fn kill(&mut self) {
        if self.file.is_some() {
            return self.kill_and_damage(&[]);
        }
        let offline = self.offline.take().unwrap().restart();
        self.start(offline);
    }

    /// The program is killed, and bytes of its file are flipped meanwhile.
    fn kill_and_damage(&mut self, flips: &[(u16, u8)]) {
        let offline = self.offline.take().unwrap();
        let mut store = self.file.as_mut().unwrap().damage(flips);
        let offline = offline.restart_with(&mut store);
        self.file.as_mut().unwrap().store = Some(store);
        self.start(offline);
    }

    fn start(&mut self, mut offline: Offline) {
        // Every other run compares with the server's schema.
        if self.next.is_multiple_of(2) {
            offline.connection().await_schema();
        }
        self.names = offline.restored.iter().map(|call| (call.call.0, number(call.id))).collect();
        self.offline = Some(offline);
        self.unwritten.clear();
        self.answers.clear();
        (self.online, self.started) = (false, false);
    }

    fn learn(&mut self, schema: Schema) {
        let reducers = match schema {
            Schema::Nothing => None,
            Schema::Fits => {
                Some(vec![LiveReducer { name: "f".into(), arguments: None, params: "".into() }])
            }
            Schema::Gone => Some(Vec::new()),
        };
        let connection = self.offline().connection();
        connection.handle_schema(connection.schema_round(), reducers);
    }

    fn hear(&mut self) {
        for event in self.offline().rig.events() {
            match event {
                Event::Accepted { call, accepted: lightlike_core::conn::Accepted::Queued } => {
                    self.calls.get_mut(&self.names[&call.0]).unwrap().accepted = true;
                }
                Event::Answered { call, reply, .. } => {
                    // Once in a run of the program.
                    let number = self.names.remove(&call.0).expect("a call is answered once");
                    let known = self.calls.get_mut(&number).unwrap();
                    match reply {
                        Reply::Committed { .. } => known.committed += 1,
                        Reply::Unknown => known.unknown += 1,
                        other => panic!("{other:?}"),
                    }
                }
                _ => (),
            }
        }
    }

    /// The faults have stopped: everything comes to an end.
    fn settle(&mut self) {
        if self.offline().connection().sync_state().held > 0 {
            self.step(Step::Kill);
        }
        for _ in 0..100 {
            self.step(Step::Learn(Schema::Fits));
            self.step(Step::Write);
            self.step(Step::Connect);
            self.step(Step::Run);
            self.step(Step::Answer);
        }
        assert_eq!(self.offline().connection().pending_calls(), 0, "it converges");
        assert!(self.offline().connection().queued_calls().is_empty());
    }

    fn check(&mut self, disk_works: bool) {
        let letters: BTreeSet<u64> =
            self.offline().connection().dead_letters().iter().map(|call| number(call.id)).collect();
        for (number, call) in &self.calls {
            let delivery = call.delivery.clone().unwrap();
            if delivery == AtMostOnce || matches!(delivery, Probe(_)) {
                assert!(call.ran <= 1, "call {number} ran twice: {call:?}");
            }
            // An outcome that was told before the disk knew of it is told again by the next run.
            assert!(call.committed == 0 || call.ran > 0, "call {number}: {call:?}");
            if call.accepted && disk_works {
                match delivery {
                    AtMostOnce => {
                        let told = call.committed > 0 || call.unknown > 0;
                        assert!(told, "call {number} was lost: {call:?}");
                        assert!(call.ran == 1 || letters.contains(number), "call {number}");
                    }
                    _ => assert!(call.committed > 0, "call {number} was lost: {call:?}"),
                }
            }
        }
    }
}

fn probed(request_id: RequestId, landed: bool) -> ServerMessage {
    let rows = RowList::from_rows(landed.then_some("row"));
    let tables = vec![TableRows { table: TableName::from("t"), rows }];
    ServerMessage::OneOffQueryResult { request_id, result: Ok(QueryRows { tables }) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Killed at any moment, cut at any moment: no call that must not run twice does, and none that was accepted is lost.
    #[test]
    fn delivery_policies_hold_under_random_crashes(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.settle();
        world.check(true);
    }

    /// As above, with a disk that fails at some batch, and works again when the program is started again.
    #[test]
    fn a_disk_that_fails_makes_nothing_run_twice(
        before in prop::collection::vec(step(), 0..30),
        after in prop::collection::vec(step(), 0..30),
    ) {
        let mut world = World::new();
        before.into_iter().for_each(|step| world.step(step));
        world.step(Step::Fail);
        after.into_iter().for_each(|step| world.step(step));
        world.step(Step::Kill);
        world.settle();
        world.check(false);
    }

    /// As the first, with a file of which bytes are flipped while the program does not run. What is lost is lost; what must
    /// not run twice does not.
    #[test]
    fn damaged_file_makes_no_call_run_twice(
        lives in prop::collection::vec(
            (
                prop::collection::vec(step(), 0..30),
                prop::collection::vec((any::<u16>(), any::<u8>()), 1..4),
            ),
            1..4,
        ),
    ) {
        let mut world = World::new();
        world.file = Some(DamagedFile::new());
        for (steps, flips) in lives {
            steps.into_iter().for_each(|step| world.step(step));
            world.kill_and_damage(&flips);
            world.hear();
        }
        world.settle();
        world.check(false);
    }
}
