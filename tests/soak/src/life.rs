//! One client of the soak: what it does, and how it is checked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lightlike::prelude::*;
use lightlike::{ConnectionState, MemoryStore, Pending, Reconnect, WhileDisconnected};
use lightlike_tests::notes::{AddNote, Note, RenameNote, add_note, add_note_once, rename_note};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::real::Database;
use tokio::sync::watch;

use crate::random::Random;
use crate::witness::Witness;

/// Sets that a client has at most.
const SETS_MAX: usize = 8;
/// Calls whose outcome a client waits for at most, before it makes another.
const PENDING_MAX: usize = 64;
/// Time within which everything comes to rest once nothing fails any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client and its proxy.
pub(crate) struct Life {
    database: Arc<Database>,
    number: usize,
    random: Random,
    ended: Ended,
    /// Kind of client, for problems.
    about: &'static str,
}

/// Counters and problems of a client.
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) number: usize,
    pub(crate) calls: u64,
    /// Committed, unknown, not sent, rejected.
    pub(crate) answers: [u64; 4],
    pub(crate) sets: u64,
    pub(crate) losses: u64,
    pub(crate) problems: Vec<String>,
}

/// A call that was made.
struct Made {
    title: Box<str>,
    /// The rows that a committed call made: 1, or 0 for one that changes another's.
    adds: bool,
    may_repeat: bool,
    outcome: Pending<(), String>,
}

/// Rows as events describe them, and what did not fit together.
#[derive(Default)]
struct Heard {
    rows: BTreeMap<u64, String>,
    problems: Vec<String>,
}

impl Life {
    pub(crate) fn new(database: Arc<Database>, number: usize, random: Random) -> Self {
        Self {
            database,
            number,
            random,
            ended: Ended { number, ..Ended::default() },
            about: "without a store",
        }
    }

    /// Lives until it is stopped, then checks everything.
    pub(crate) async fn run(mut self, stopped: watch::Receiver<bool>, witness: Witness) -> Ended {
        let proxy = Proxy::start(self.database.uri()).await;
        let db = match self.connect(&proxy).await {
            Ok(db) => db,
            Err(error) => {
                self.problem(format!("no first connection: {error}"));
                return self.ended;
            }
        };
        let heard = listen(&db);
        let mut sets: Vec<Subscription> = Vec::new();
        let mut made: Vec<Made> = Vec::new();
        let mut step = 0;
        while !*stopped.borrow() {
            self.act(&db, &proxy, &mut sets, &mut made, step);
            step += 1;
            if made.len() > PENDING_MAX {
                // It waits for answers now, so nothing may hold them back.
                open(&proxy);
            }
            self.collect(&db, &mut made, &witness, PENDING_MAX).await;
            tokio::time::sleep(Duration::from_millis(20 + self.random.below(200))).await;
        }
        open(&proxy);
        db.reconnect_now();
        self.collect(&db, &mut made, &witness, 0).await;
        self.check(&db, sets, &heard).await;
        self.ended.losses = db.stats().losses;
        self.ended
    }

    fn problem(&mut self, what: String) {
        self.ended.problems.push(what);
    }

    async fn connect(&mut self, proxy: &Proxy) -> Result<Client, lightlike::Error> {
        let mut quick = Reconnect::default();
        quick.pause_max = Duration::from_secs(1);
        let mut builder = Client::builder(proxy.uri(), self.database.name())
            .reconnect(quick)
            .while_disconnected(WhileDisconnected::Wait)
            .mutator(|tx, call: &AddNote| {
                let id = tx.temp_id();
                tx.insert(Note { id, title: call.title.clone() });
            })
            .mutator(|tx, call: &RenameNote| {
                tx.update(Note { id: call.id, title: call.title.clone() });
            });
        if self.random.below(2) == 0 {
            self.about = "with a store";
            builder = builder.offline(MemoryStore::new());
        }
        builder.connect().await
    }

    fn act(
        &mut self,
        db: &Client,
        proxy: &Proxy,
        sets: &mut Vec<Subscription>,
        made: &mut Vec<Made>,
        step: u64,
    ) {
        match self.random.below(20) {
            0..=4 if sets.len() < SETS_MAX => sets.push(self.subscribe(db)),
            0..=6 if !sets.is_empty() => {
                let at = self.random.below(sets.len() as u64) as usize;
                drop(sets.swap_remove(at));
            }
            7..=14 => made.extend(self.call(db, step)),
            15 => proxy.cut(),
            16 => proxy.half_close(),
            17 => proxy.hold_replies(self.random.below(2) == 0),
            18 => proxy.close(self.random.below(3) == 0),
            _ => db.reconnect_now(),
        }
    }

    fn subscribe(&mut self, db: &Client) -> Subscription {
        self.ended.sets += 1;
        let from = self.random.below(4_000);
        match self.random.below(5) {
            0 => db.subscribe(Note::all()),
            1 => db.subscribe(Note::filter(Note::ID.gt(from))),
            2 => db.subscribe(Note::filter(Note::ID.lt(from + 1_000))),
            3 => db.subscribe((Note::all(), Note::filter(Note::ID.gt(from)))),
            _ => db.subscribe(Note::filter(Note::ID.gt(from).and(Note::ID.lt(from + 500)))),
        }
    }

    fn call(&mut self, db: &Client, step: u64) -> Option<Made> {
        let title = format!("{}.{step}", self.number);
        let boxed: Box<str> = title.as_str().into();
        let made =
            |outcome, adds, may_repeat| Made { title: boxed.clone(), adds, may_repeat, outcome };
        let call = match self.random.below(3) {
            0 => made(db.call(add_note(title)).send(), true, false),
            1 => {
                let id = Uuid::from_u128(((self.number as u128) << 64) | (u128::from(step) + 1));
                made(db.call(add_note_once(id, title)).send(), true, true)
            }
            _ => {
                let notes: Vec<u64> =
                    db.table::<Note>().iter().take(20).map(|note| note.id).collect();
                let id = *notes.get(self.random.below(20) as usize)?;
                made(db.call(rename_note(id, format!("renamed {title}"))).send(), false, true)
            }
        };
        self.ended.calls += 1;
        Some(call)
    }

    /// Takes the outcomes that are there, and waits for others while more than `keep` are not.
    async fn collect(&mut self, db: &Client, made: &mut Vec<Made>, witness: &Witness, keep: usize) {
        let mut oldest_first = std::mem::take(made).into_iter();
        while oldest_first.len() > keep {
            let Some(Made { title, adds, may_repeat, outcome }) = oldest_first.next() else {
                break;
            };
            match tokio::time::timeout(PATIENCE, outcome).await {
                Ok(outcome) => {
                    self.check_outcome(&title, adds, may_repeat, &outcome, witness).await;
                }
                Err(_) => self.problem(format!(
                    "call {title} (adds {adds}, may repeat {may_repeat}) is not answered; {}; {:?}, {} calls pending",
                    self.about,
                    db.state().get(),
                    db.pending_calls(),
                )),
            }
        }
        made.extend(oldest_first);
    }

    async fn check_outcome(
        &mut self,
        title: &str,
        adds: bool,
        may_repeat: bool,
        outcome: &Result<(), CallError<String>>,
        witness: &Witness,
    ) {
        let kind = match outcome {
            Ok(()) => 0,
            Err(CallError::Unknown) => 1,
            Err(CallError::NotSent(_)) => 2,
            Err(CallError::Rejected(_)) if !adds => 3,
            Err(error) => return self.problem(format!("call {title}: {error}")),
        };
        self.ended.answers[kind] += 1;
        if kind == 1 && may_repeat {
            self.problem(format!("call {title} may be repeated, and its outcome is unknown"));
        }
        if !adds {
            return;
        }
        if kind == 0 && witness.count(title) == 0 {
            witness.catch_up().await;
        }
        let rows = witness.count(title);
        let right = match kind {
            0 => rows == 1,
            1 => rows <= 1,
            _ => rows == 0,
        };
        if !right {
            self.problem(format!("call {title} ended as {outcome:?} and made {rows} rows"));
        }
    }

    /// Checks that nothing is left without sets, and that the cache equals SQL with one.
    async fn check(&mut self, db: &Client, sets: Vec<Subscription>, heard: &Mutex<Heard>) {
        if let ConnectionState::Closed(reason) = db.state().get() {
            return self.problem(format!("closed: {reason:?}"));
        }
        for set in sets {
            let ended = tokio::time::timeout(PATIENCE, set.unsubscribe()).await;
            if !matches!(ended, Ok(Ok(()))) {
                self.problem(format!("a set does not end: {ended:?}"));
            }
        }
        let left = db.table::<Note>().len();
        if left > 0 {
            self.problem(format!("{left} rows are left without a set"));
        }
        let all = db.subscribe(Note::all());
        match tokio::time::timeout(PATIENCE, all.applied()).await {
            Ok(Ok(())) => self.compare(db, heard).await,
            other => self.problem(format!("the last set is not applied: {other:?}")),
        }
    }

    async fn compare(&mut self, db: &Client, heard: &Mutex<Heard>) {
        // The last changes of others may be on their way.
        let mut differences = String::new();
        for _ in 0..60 {
            differences = match self.differences(db).await {
                Ok(None) => String::new(),
                Ok(Some(differences)) => differences,
                Err(error) => error,
            };
            if differences.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if !differences.is_empty() {
            self.problem(differences);
        }
        match db.verify().await {
            Ok(verification) if verification.drifts.is_empty() => (),
            other => self.problem(format!("verify: {other:?}")),
        }
        let rows: BTreeMap<u64, String> =
            db.table::<Note>().iter().map(|note| (note.id, note.title)).collect();
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems = heard.problems.clone();
        if heard.rows != rows {
            problems.push(format!(
                "events add up to {} rows, {} are there",
                heard.rows.len(),
                rows.len()
            ));
        }
        self.ended.problems.extend(problems);
    }

    /// What differs between the cache and SQL, if anything.
    async fn differences(&self, db: &Client) -> Result<Option<String>, String> {
        let theirs = self.database.sql(self.database.owner(), "SELECT * FROM note").await;
        let theirs = theirs.map_err(|error| error.to_string())?;
        let theirs: BTreeMap<u64, String> = theirs
            .iter()
            .filter_map(|row| Some((row[0].as_u64()?, row[1].as_str()?.to_owned())))
            .collect();
        let ours: BTreeMap<u64, String> =
            db.table::<Note>().iter().map(|note| (note.id, note.title)).collect();
        let differs = |(id, title): &(&u64, &String)| ours.get(id) != Some(title);
        let missing = theirs.iter().filter(differs).count();
        let surplus = ours.iter().filter(|(id, _)| !theirs.contains_key(id)).count();
        Ok((missing + surplus > 0).then(|| {
            format!(
                "the cache differs from SQL: {missing} of {} rows, {surplus} too many",
                theirs.len()
            )
        }))
    }
}

/// Lets everything through.
fn open(proxy: &Proxy) {
    proxy.hold_replies(false);
    proxy.close(false);
}

/// Adds events up, and notes those that do not follow from the ones before.
fn listen(db: &Client) -> Arc<Mutex<Heard>> {
    let heard: Arc<Mutex<Heard>> = Arc::default();
    let with = |heard: &Arc<Mutex<Heard>>,
                change: &dyn Fn(&mut BTreeMap<u64, String>) -> bool,
                what: &str| {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        if !change(&mut heard.rows) {
            heard.problems.push(what.to_owned());
        }
    };
    let rows = Arc::clone(&heard);
    db.table::<Note>().on_insert(move |_, row| {
        with(
            &rows,
            &|rows| rows.insert(row.id, row.title.clone()).is_none(),
            "a row was inserted twice",
        );
    });
    let rows = Arc::clone(&heard);
    db.table::<Note>().on_update(move |_, old, new| {
        let follows = |rows: &mut BTreeMap<u64, String>| {
            rows.insert(new.id, new.title.clone()).as_ref() == Some(&old.title)
        };
        with(&rows, &follows, "an update does not follow");
    });
    let rows = Arc::clone(&heard);
    db.table::<Note>().on_delete(move |_, row| {
        with(
            &rows,
            &|rows| rows.remove(&row.id).as_ref() == Some(&row.title),
            "a delete does not follow",
        );
    });
    heard
}
