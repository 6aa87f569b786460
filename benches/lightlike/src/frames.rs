//! A frame loop around a large first subscription: how long ticks take that may take two milliseconds.

use std::time::{Duration, Instant};

use bench_harness::{emit, percentile, preemptions, thread_cpu};
use lightlike::prelude::*;

use crate::schema::Entity;

/// Ticks, how often, and for how long.
const TICKS: usize = 1_000;
const FRAME: Duration = Duration::from_millis(5);
const BUDGET: Duration = Duration::from_millis(2);

/// `URI DATABASE frames ROWS`
pub(crate) fn run(uri: &str, database: &str, rows: u64) {
    let db =
        Client::builder(uri, database).confirmed_reads(false).build_manual().expect("a client");
    while !matches!(db.state().get(), ConnectionState::Ready) {
        let _ = db.tick(Budget::time(BUDGET)).expect("a connection");
        std::thread::sleep(Duration::from_millis(1));
    }
    let start = Instant::now();
    let entities = db.subscribe(Entity::all());
    let (mut times, mut cpu_times) = (Vec::with_capacity(TICKS), Vec::with_capacity(TICKS));
    let (mut busy, mut preempted, mut applied) = (0, 0, None);
    for _ in 0..TICKS {
        let (frame, cpu, before) = (Instant::now(), thread_cpu(), preemptions());
        let tick = db.tick(Budget::time(BUDGET)).expect("a connection");
        let took = frame.elapsed().as_secs_f64() * 1e3;
        // On a busy machine the system's own time slices are longer than a tick: said apart.
        if preemptions() > before {
            preempted += 1;
        } else {
            times.push(took);
        }
        cpu_times.push((thread_cpu() - cpu) * 1e3);
        busy += u32::from(tick.work_left);
        if applied.is_none() && entities.is_applied() {
            applied = Some(start.elapsed().as_secs_f64());
        }
        std::thread::sleep(FRAME.saturating_sub(frame.elapsed()));
    }
    assert_eq!(db.read().table::<Entity>().len() as u64, rows, "rows in the cache");
    let report = |metric: &str, value: f64, unit: &str| {
        emit("lightlike", &format!("frames.{metric}"), rows, value, unit);
    };
    report("preempted", f64::from(preempted), "ticks");
    report("p50", percentile(&mut times, 0.5), "ms");
    report("p99", percentile(&mut times, 0.99), "ms");
    report("max", percentile(&mut times, 1.0), "ms");
    report("cpu.p99", percentile(&mut cpu_times, 0.99), "ms");
    report("cpu.max", percentile(&mut cpu_times, 1.0), "ms");
    report("busy", f64::from(busy), "ticks");
    report("wall", applied.expect("rows within the ticks"), "s");
}
