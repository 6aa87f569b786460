//! One large message: how long a ping behind it waits for its answer, and what memory it takes.

use std::time::{Duration, Instant};

use bench_harness::{emit, heap, resident, trim};
use lightlike::prelude::*;
use tokio::runtime::Builder;

use crate::front::Front;
use crate::schema::Entity;

/// `URI DATABASE large MIB`
pub(crate) fn run(uri: &str, database: &str, mebibytes: u64) {
    // 72 bytes, and 8 that say where the row begins.
    let rows = mebibytes * 1024 * 1024 / 80;
    let mut front = Front::start(uri, "ping");
    let uri = front.uri.clone();
    let pong = std::thread::spawn(move || front.line());
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let builder = Client::builder(&uri, database)
        .compression(lightlike::connection::Compression::None)
        .confirmed_reads(false);
    let db = runtime.block_on(builder.connect()).expect("a connection");
    trim();
    let (heap_before, resident_before) = (heap(), resident("VmRSS"));
    let received = db.stats().message_bytes_received;
    let start = Instant::now();
    let entities = db.subscribe(Entity::all().filter(Entity::ID.lt(rows)));
    runtime.block_on(entities.applied()).expect("rows");
    let wall = start.elapsed().as_secs_f64() * 1e3;
    let frame = (db.stats().message_bytes_received - received) as f64;
    assert_eq!(db.read().table::<Entity>().len() as u64, rows, "rows in the cache");
    assert!(frame >= (mebibytes << 20) as f64 * 0.95, "{frame} bytes");
    let peak = resident("VmHWM") - resident_before;
    // What is behind the rows is dropped, and the ping answered, if it was not before.
    while !pong.is_finished() {
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
    }
    let held = heap() - heap_before;
    let report = |metric: &str, value: f64, unit: &str| {
        emit("lightlike", &format!("large.{metric}"), rows, value, unit);
    };
    let pong = pong.join().expect("a line of the front's");
    report("pong", pong.parse().expect("milliseconds"), "ms");
    report("wall", wall, "ms");
    report("peak", peak / (frame + held), "of frame and rows");
}
