//! Transactions while another thread holds a view, beside the same while nobody does.

use std::future::IntoFuture as _;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bench_harness::{emit, percentile};
use lightlike::prelude::*;
use tokio::runtime::Builder;

use crate::schema::{Entity, move_entities};

const TRANSACTIONS: usize = 20;
const ROWS: u32 = 1_000;
const HELD_FOR: Duration = Duration::from_secs(1);

/// `URI DATABASE held`
pub(crate) fn run(uri: &str, database: &str) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let builder = Client::builder(uri, database).confirmed_reads(false);
    let db = runtime.block_on(builder.connect()).expect("a connection");
    let entities = db.subscribe(Entity::all());
    runtime.block_on(entities.applied()).expect("rows");
    let mut x = db.read().table::<Entity>().get(&0).expect("a row").x;
    let mut transactions = || {
        let mut walls: Vec<f64> = (0..TRANSACTIONS)
            .map(|_| {
                let start = Instant::now();
                let moved = db.call(move_entities(0, ROWS)).into_future();
                runtime.block_on(moved).expect("a reducer that commits");
                // Another reader sees it.
                let now = db.read().table::<Entity>().get(&0).expect("a row").x;
                assert!((now - x - 1.0).abs() < 0.01, "{now} after {x}");
                x = now;
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        percentile(&mut walls, 0.5)
    };
    transactions();
    let alone = transactions();
    let (taken, take) = mpsc::channel();
    let reader = db.clone();
    let holder = thread::spawn(move || {
        let view = reader.read();
        let x = view.table::<Entity>().get(&0).expect("a row").x;
        taken.send(()).expect("a main thread that waits");
        thread::sleep(HELD_FOR);
        assert_eq!(view.table::<Entity>().get(&0).expect("a row").x, x, "a view does not change");
    });
    take.recv().expect("a view");
    let start = Instant::now();
    let beside = transactions();
    let ended_first = start.elapsed() < HELD_FOR && !holder.is_finished();
    holder.join().expect("a view that did not change");
    emit("lightlike", "held.alone", u64::from(ROWS), alone, "ms");
    emit("lightlike", "held.beside", u64::from(ROWS), beside, "ms");
    let before = if ended_first { TRANSACTIONS as f64 } else { 0.0 };
    emit("lightlike", "held.before_the_view_went", u64::from(ROWS), before, "transactions");
}
