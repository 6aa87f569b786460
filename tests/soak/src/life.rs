//! One client of the soak: what it does, and how it is checked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lightlike::calls::WhileDisconnected;
use lightlike::connection::{Compression, Reconnect};
use lightlike::events::EventStream;
use lightlike::offline::{CallEnd, CallOutcome};
use lightlike::prelude::*;
use lightlike::{ConnectionState, Pending};
use lightlike_tests::notes::{AddNote, Note, RenameNote, add_note, add_note_once, rename_note};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::real::Database;
use tokio::sync::watch;

use crate::random::Random;
use crate::stores::Kept;
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
    kept: Kept,
    /// Calls that the store has for the next client with it.
    waiting: HashMap<Uuid, Asked>,
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
    pub(crate) restarts: u64,
    pub(crate) problems: Vec<String>,
}

/// What a call asks for.
#[derive(Debug, Clone)]
struct Asked {
    title: Box<str>,
    /// Whether a committed call makes a row, and not changes another's.
    adds: bool,
    may_repeat: bool,
}

/// A call that was made.
struct Made {
    id: Uuid,
    asked: Asked,
    outcome: Pending<(), String>,
}

/// How a call ended, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Committed,
    Unknown,
    NotSent,
    Rejected,
}

/// A client as it is until it is made anew.
struct Live {
    db: Client,
    heard: Arc<Mutex<Heard>>,
    sets: Vec<Subscription>,
    made: Vec<Made>,
    /// Ends of calls that the client before this one had made.
    restored: Arc<Mutex<Vec<(Uuid, CallEnd)>>>,
}

/// Rows as events describe them, and what did not fit together.
#[derive(Default)]
struct Heard {
    rows: BTreeMap<u64, String>,
    problems: Vec<String>,
}

impl Life {
    pub(crate) fn new(database: Arc<Database>, number: usize, random: Random, kept: Kept) -> Self {
        Self {
            database,
            number,
            random,
            ended: Ended { number, ..Ended::default() },
            kept,
            waiting: HashMap::new(),
        }
    }

    /// Lives until it is stopped, then checks everything.
    pub(crate) async fn run(mut self, stopped: watch::Receiver<bool>, witness: Witness) -> Ended {
        let proxy = Proxy::start(self.database.uri()).await;
        let mut live = match self.start(&proxy) {
            Ok(live) => live,
            Err(error) => {
                self.problem(format!("no client: {error}"));
                return self.ended;
            }
        };
        let mut step = 0;
        while !*stopped.borrow() {
            self.act(&mut live, &proxy, step);
            step += 1;
            if live.made.len() > PENDING_MAX {
                // It waits for answers now, so nothing may hold them back.
                open(&proxy);
            }
            self.collect(&mut live, &witness, PENDING_MAX).await;
            if self.kept.keeps() && self.random.below(100) == 0 {
                live = match self.restart(live, &proxy, &witness).await {
                    Ok(live) => live,
                    Err(error) => {
                        self.problem(format!("no client after a restart: {error}"));
                        return self.ended;
                    }
                };
            }
            tokio::time::sleep(Duration::from_millis(20 + self.random.below(200))).await;
        }
        open(&proxy);
        live.db.reconnect_now();
        self.collect(&mut live, &witness, 0).await;
        self.collect_waiting(&live, &witness).await;
        self.ended.losses += live.db.stats().losses;
        self.check(&live.db, live.sets, &live.heard).await;
        self.ended
    }

    fn problem(&mut self, what: String) {
        let about = self.kept.about();
        self.ended.problems.push(format!("({about}) {what}"));
    }

    fn start(&self, proxy: &Proxy) -> Result<Live, lightlike::Error> {
        let mut quick = Reconnect::default();
        quick.pause_max = Duration::from_secs(1);
        let compressions = [Compression::None, Compression::Gzip, Compression::Brotli];
        let builder = Client::builder(proxy.uri(), self.database.name())
            .reconnect(quick)
            .retry_first_connection(true)
            .compression(compressions[self.number % 3])
            .while_disconnected(WhileDisconnected::Wait)
            .mutator(|tx, call: &AddNote| {
                let id = tx.temp_id();
                tx.insert(Note { id, title: call.title.clone() });
            })
            .mutator(|tx, call: &RenameNote| {
                tx.update(Note { id: call.id, title: call.title.clone() });
            });
        let db = self.kept.put_into(builder)?.build()?;
        let (heard, restored) = (listen(&db), Arc::default());
        if self.kept.keeps() {
            tokio::spawn(note_restored(db.call_outcomes(), Arc::clone(&restored)));
        }
        db.start()?;
        Ok(Live { db, heard, sets: Vec::new(), made: Vec::new(), restored })
    }

    /// The program ends, and starts again with what its store has.
    async fn restart(
        &mut self,
        live: Live,
        proxy: &Proxy,
        witness: &Witness,
    ) -> Result<Live, lightlike::Error> {
        self.ended.restarts += 1;
        self.ended.losses += live.db.stats().losses;
        live.db.disconnect().await;
        self.take_restored(&live, witness).await;
        for Made { id, asked, outcome } in live.made {
            match outcome.await {
                Err(CallError::Kept) => drop(self.waiting.insert(id, asked)),
                outcome => self.check_outcome(&asked, &outcome, witness).await,
            }
        }
        drop((live.db, live.sets));
        self.start(proxy)
    }

    fn act(&mut self, live: &mut Live, proxy: &Proxy, step: u64) {
        let Live { db, sets, made, .. } = live;
        match self.random.below(23) {
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
            19 => {
                proxy.slow(Duration::from_micros(self.random.below(3) * self.random.below(2_000)));
            }
            20 => {
                let bytes = 200 + self.random.below(60_000) as usize;
                proxy.cut_after((self.random.below(2) == 0).then_some(bytes));
            }
            21 => hold_a_view(db, Duration::from_millis(self.random.below(1_000))),
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
        let id = Uuid::from_u128(((self.number as u128) << 64) | (u128::from(step) + 1));
        let asked = |adds, may_repeat| Asked { title: title.as_str().into(), adds, may_repeat };
        let (asked, outcome) = match self.random.below(3) {
            0 => (asked(true, false), db.call(add_note(title.clone())).idempotency_key(id).send()),
            1 => (
                asked(true, true),
                db.call(add_note_once(id, title.clone())).idempotency_key(id).send(),
            ),
            _ => {
                let notes: Vec<u64> =
                    db.table::<Note>().iter().take(20).map(|note| note.id).collect();
                let note = *notes.get(self.random.below(20) as usize)?;
                let call = db.call(rename_note(note, format!("renamed {title}")));
                (asked(false, true), call.idempotency_key(id).send())
            }
        };
        self.ended.calls += 1;
        Some(Made { id, asked, outcome })
    }

    /// Takes the outcomes that are there, and waits for others while more than `keep` are not.
    async fn collect(&mut self, live: &mut Live, witness: &Witness, keep: usize) {
        self.take_restored(live, witness).await;
        let mut oldest_first = std::mem::take(&mut live.made).into_iter();
        while oldest_first.len() > keep {
            let Some(Made { asked, outcome, .. }) = oldest_first.next() else { break };
            match tokio::time::timeout(PATIENCE, outcome).await {
                Ok(outcome) => self.check_outcome(&asked, &outcome, witness).await,
                Err(_) => self.problem(format!(
                    "{asked:?} is not answered; {:?}, {} calls pending",
                    live.db.state().get(),
                    live.db.pending_calls(),
                )),
            }
        }
        live.made.extend(oldest_first);
    }

    /// Waits for the ends of all calls that clients before this one had made.
    async fn collect_waiting(&mut self, live: &Live, witness: &Witness) {
        for _ in 0..PATIENCE.as_secs() * 10 {
            self.take_restored(live, witness).await;
            if self.waiting.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let left: Vec<Asked> = self.waiting.drain().map(|(_, asked)| asked).collect();
        let queued = live.db.queued_calls();
        self.problem(format!("kept calls are not answered: {left:?}; queued: {queued:?}"));
    }

    async fn take_restored(&mut self, live: &Live, witness: &Witness) {
        let restored =
            std::mem::take(&mut *live.restored.lock().unwrap_or_else(PoisonError::into_inner));
        for (id, end) in restored {
            let Some(asked) = self.waiting.remove(&id) else {
                self.problem(format!("call {id} ended as {end:?} and nobody waited for it"));
                continue;
            };
            let answer = match end {
                CallEnd::Committed { .. } => Answer::Committed,
                CallEnd::Unknown => Answer::Unknown,
                CallEnd::NotSent(_) => Answer::NotSent,
                CallEnd::Rejected(_) if !asked.adds => Answer::Rejected,
                end => {
                    self.problem(format!("{asked:?} ended as {end:?}"));
                    continue;
                }
            };
            self.check_answer(&asked, answer, witness).await;
        }
    }

    async fn check_outcome(
        &mut self,
        asked: &Asked,
        outcome: &Result<(), CallError<String>>,
        witness: &Witness,
    ) {
        let answer = match outcome {
            Ok(()) => Answer::Committed,
            Err(CallError::Unknown) => Answer::Unknown,
            Err(CallError::NotSent(_)) => Answer::NotSent,
            Err(CallError::Rejected(_)) if !asked.adds => Answer::Rejected,
            Err(error) => return self.problem(format!("{asked:?}: {error}")),
        };
        self.check_answer(asked, answer, witness).await;
    }

    async fn check_answer(&mut self, asked: &Asked, answer: Answer, witness: &Witness) {
        self.ended.answers[answer as usize] += 1;
        if answer == Answer::Unknown && asked.may_repeat {
            self.problem(format!("{asked:?} may be repeated, and its outcome is unknown"));
        }
        if !asked.adds {
            return;
        }
        if answer == Answer::Committed && witness.count(&asked.title) == 0 {
            witness.catch_up().await;
        }
        let rows = witness.count(&asked.title);
        let is_right = match answer {
            Answer::Committed => rows == 1,
            Answer::Unknown => rows <= 1,
            Answer::NotSent | Answer::Rejected => rows == 0,
        };
        if !is_right {
            self.problem(format!("{asked:?} ended as {answer:?} and made {rows} rows"));
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
        // Rows of earlier runs that nobody asked for again expire.
        let none_left = db.wait_until(|view| view.table::<Note>().is_empty());
        if tokio::time::timeout(PATIENCE, none_left).await.is_err() {
            let left = db.table::<Note>().len();
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
        // Rows are visible before their callbacks run.
        let mut unheard = Vec::new();
        for _ in 0..60 {
            unheard = unheard_rows(db, heard);
            if unheard.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        self.ended.problems.extend(heard.problems.iter().cloned());
        if !unheard.is_empty() {
            self.problem(format!("rows that events do not add up to: {unheard:?}"));
        }
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

/// Rows by which a cache differs from what its events add up to: as the cache has them, and as the events say.
fn unheard_rows(db: &Client, heard: &Mutex<Heard>) -> Vec<(u64, Option<String>, Option<String>)> {
    let rows: BTreeMap<u64, String> =
        db.table::<Note>().iter().map(|note| (note.id, note.title)).collect();
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let ids: BTreeSet<u64> = rows.keys().chain(heard.rows.keys()).copied().collect();
    let both = ids.into_iter().map(|id| (id, rows.get(&id).cloned(), heard.rows.get(&id).cloned()));
    both.filter(|(_, here, told)| here != told).collect()
}

/// Lets everything through.
fn open(proxy: &Proxy) {
    proxy.hold_replies(false);
    proxy.close(false);
    proxy.slow(Duration::ZERO);
    proxy.cut_after(None);
}

/// Keeps old versions of rows for a while.
fn hold_a_view(db: &Client, time: Duration) {
    let view = db.read();
    tokio::spawn(async move {
        tokio::time::sleep(time).await;
        drop(view);
    });
}

/// Notes how calls end that an earlier client had made.
async fn note_restored(
    mut outcomes: EventStream<CallOutcome>,
    restored: Arc<Mutex<Vec<(Uuid, CallEnd)>>>,
) {
    while let Some(Ok(outcome)) = outcomes.next().await {
        if let Some(id) = outcome.id.filter(|_| outcome.restored) {
            let mut restored = restored.lock().unwrap_or_else(PoisonError::into_inner);
            restored.push((id, outcome.end));
        }
    }
}

/// Adds events up, and notes those that do not follow from the ones before.
fn listen(db: &Client) -> Arc<Mutex<Heard>> {
    let there = db.table::<Note>().iter().map(|note| (note.id, note.title)).collect();
    let heard = Arc::new(Mutex::new(Heard { rows: there, problems: Vec::new() }));
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
