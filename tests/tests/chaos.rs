//! Random lives of a client on both servers, behind a proxy that cuts, stalls and half-closes.
//!
//! `LIGHTLIKE_SEEDS` says how many lives (12 unless given), `LIGHTLIKE_SEED` which one alone.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lightlike::Pending;
use lightlike::calls::WhileDisconnected;
use lightlike::connection::Reconnect;
use lightlike::offline::MemoryStore;
use lightlike::prelude::*;
use lightlike_tests::notes::{AddNote, Note, add_note, add_note_once};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::target::Target;

/// SplitMix64: the same choices for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A call that was made: its title, and whether it is run until it is answered.
struct Made {
    title: String,
    again: bool,
    outcome: Pending<(), String>,
}

type Told = Arc<Mutex<BTreeMap<u64, String>>>;

/// Rows that the events add up to.
fn listen(db: &Client) -> Told {
    let told = Told::default();
    let rows = Arc::clone(&told);
    db.table::<Note>().on_insert(move |_, row| {
        assert_eq!(rows.lock().unwrap().insert(row.id, row.title.clone()), None);
    });
    let rows = Arc::clone(&told);
    db.table::<Note>().on_update(move |_, old, new| {
        let before = rows.lock().unwrap().insert(new.id, new.title.clone());
        assert_eq!(before.as_ref(), Some(&old.title));
    });
    let rows = Arc::clone(&told);
    db.table::<Note>().on_delete(move |_, row| {
        assert_eq!(rows.lock().unwrap().remove(&row.id).as_ref(), Some(&row.title));
    });
    told
}

async fn live(target: &Target, seed: u64) {
    let mut random = Random(seed);
    let proxy = Proxy::start(&target.uri()).await;
    let mut quick = Reconnect::default();
    quick.pause_max = Duration::from_millis(20);
    let mut builder = Client::builder(proxy.uri(), target.name())
        .reconnect(quick)
        .while_disconnected(WhileDisconnected::Wait)
        .mutator(|tx, call: &AddNote| {
            let id = tx.temp_id();
            tx.insert(Note { id, title: call.title.clone() });
        });
    if random.below(2) == 0 {
        builder = builder.offline(MemoryStore::new());
    }
    let db = builder.connect().await.unwrap();
    let told = listen(&db);
    let notes = db.subscribe(Note::all()).await.unwrap();
    let other = target.connect().await;

    let mut made = Vec::new();
    // Sets that come and go, whatever becomes of the sockets meanwhile.
    let mut parts = Vec::new();
    for step in 0..60_u32 {
        match random.below(16) {
            12..=13 => parts.push(db.subscribe(Note::all().filter(Note::ID.gt(random.below(20))))),
            14..=15 if !parts.is_empty() => {
                let part = random.below(parts.len() as u64) as usize;
                drop(parts.swap_remove(part));
            }
            0..=3 => {
                let title = format!("{seed}.{step}");
                let again = random.below(2) == 0;
                let outcome = if again {
                    db.call(add_note_once(Uuid::from_u128(step.into()), title.clone())).send()
                } else {
                    db.call(add_note(title.clone())).send()
                };
                made.push(Made { title, again, outcome });
            }
            // Somebody else, who also gives the others time.
            4..=7 => other.call(add_note(format!("other {seed}.{step}"))).await.unwrap(),
            8 => proxy.cut(),
            9 => proxy.half_close(),
            10 => proxy.hold_replies(random.below(2) == 0),
            _ => proxy.close(random.below(3) == 0),
        }
    }
    proxy.hold_replies(false);
    proxy.close(false);
    db.reconnect_now();

    let mut outcomes = Vec::new();
    for Made { title, again, outcome } in made {
        outcomes.push((title, again, outcome.await));
    }
    // When this is answered, all that was before is here.
    while db
        .call(add_note_once(Uuid::from_u128(u128::from(seed) << 64), "end".into()))
        .await
        .is_err()
    {}
    let mut theirs = other.query(Note::all()).await.unwrap();
    let mut ours: Vec<_> = db.table::<Note>().iter().collect();
    theirs.sort_by_key(|note| note.id);
    ours.sort_by_key(|note| note.id);
    assert_eq!(ours, theirs);
    let told: Vec<_> = told.lock().unwrap().clone().into_iter().collect();
    assert_eq!(told, ours.iter().map(|note| (note.id, note.title.clone())).collect::<Vec<_>>());
    for (title, again, outcome) in outcomes {
        let count = theirs.iter().filter(|note| note.title == title).count();
        match outcome {
            Ok(()) => assert_eq!(count, 1, "{title}"),
            Err(CallError::Unknown) => assert!(count <= 1 && !again, "{title}"),
            Err(other) => panic!("{title}: {other:?}"),
        }
    }
    assert_eq!(db.verify().await.unwrap().drifts, []);
    // With the last set the last row goes.
    for part in parts {
        part.unsubscribe().await.unwrap();
    }
    notes.unsubscribe().await.unwrap();
    assert!(db.table::<Note>().is_empty());
}

#[tokio::test]
async fn clients_agree_after_random_socket_faults() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("LIGHTLIKE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LIGHTLIKE_SEEDS").unwrap_or(12),
    };
    for seed in seeds {
        let target = Target::notes().await;
        let life = tokio::time::timeout(Duration::from_secs(60), live(&target, seed)).await;
        assert!(life.is_ok(), "this life has no end: LIGHTLIKE_SEED={seed} repeats it");
    }
}
