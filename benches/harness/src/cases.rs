//! The cases. Each is a process of its own, and checks its answer before it reports a number.

use std::env;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Call, Client, Compression, Options, Table};
use crate::measure::{self, Span, percentile};

/// Rows in the transactions of the `update` and `events` cases, and how many such transactions there are.
const ROWS: u32 = 10_000;
const TRANSACTIONS: u64 = 20;

/// Calls of the `rtt` case, and of the `pipelined` one, and how many of those are under way: half of what a server
/// queues for a client before it hangs up.
const CALLS_IN_TURN: u64 = 2_000;
const CALLS_IN_FLIGHT: u64 = 50_000;
const WINDOW: usize = 8_192;

/// Lookups by key.
const LOOKUPS: u64 = 1_000_000;

/// The `main` of a column: `URI DATABASE CASE [ARGUMENT...]`.
pub fn main<C: Client>() {
    let args: Vec<String> = env::args().skip(1).collect();
    let arg = |place: usize| args.get(place).map_or("", String::as_str);
    let number = |place: usize| arg(place).parse::<u64>().expect("a number");
    let compression = if args.len() > 5 { Compression::named(arg(5)) } else { Compression::None };
    let options = Options { uri: arg(0).into(), database: arg(1).into(), compression };
    match arg(2) {
        "subscribe" => subscribe::<C>(&options, Table::named(arg(3)), number(4), arg(5)),
        "lookups" => lookups::<C>(&options, number(3)),
        "update" => update::<C>(&options, number(3)),
        "events" => events::<C>(&options),
        "rtt" => in_turn::<C>(&options),
        "pipelined" => in_flight::<C>(&options),
        other => panic!("`{other}` is no case"),
    }
}

/// Checks how many rows there are, where the client keeps any.
fn check_count<C: Client>(client: &C, table: Table, rows: u64) {
    if let Some(count) = client.count(table) {
        assert_eq!(count, rows, "rows of {table:?} in the cache");
    }
}

fn subscribe<C: Client>(options: &Options, table: Table, rows: u64, compression: &str) {
    let case = format!("subscribe.{}.{compression}", format!("{table:?}").to_lowercase());
    let report = |metric: &str, value: f64, unit: &str| {
        measure::emit(C::NAME, &format!("{case}.{metric}"), rows, value, unit);
    };
    let mut client = C::connect(options);
    client.call(Call::Ping(0));
    measure::trim();
    let (heap, resident) = (measure::heap(), measure::resident("VmRSS"));
    let span = Span::start();
    let applied = client.subscribe(table);
    let settled = client.call(Call::Ping(0));
    span.emit_noise(C::NAME, &case, rows);
    check_count(&client, table, rows);
    report("wall", (applied.at - span.at).as_secs_f64(), "s");
    report("cpu", applied.cpu - span.cpu, "s");
    report("cpu_settled", settled.cpu - span.cpu, "s");
    report("peak", (measure::resident("VmHWM") - resident) / rows as f64, "B/row");
    // Threads of the library may still clean up.
    std::thread::sleep(Duration::from_millis(300));
    client.call(Call::Ping(0));
    report("heap", (measure::heap() - heap) / rows as f64, "B/row");
}

fn lookups<C: Client>(options: &Options, rows: u64) {
    let mut client = C::connect(options);
    client.subscribe(Table::Entity);
    client.call(Call::Ping(0));
    check_count(&client, Table::Entity, rows);
    let mut state = 0x1234_5678_9abc_def1_u64;
    let ids: Vec<u64> = (0..LOOKUPS)
        .map(|_| {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % rows
        })
        .collect();
    let time = |case: &str, count: u64, read: &dyn Fn(&[u64]) -> i64| {
        // CPU time, since nothing waits: what else the machine does is left out.
        let start = measure::cpu();
        let sum = read(black_box(&ids));
        let each = (measure::cpu() - start) / count as f64 * 1e9;
        measure::emit(C::NAME, case, rows, each, "ns");
        sum
    };
    let ways = client.lookups(rows);
    let found: Vec<i64> = ways.find.iter().map(|(name, read)| time(name, LOOKUPS, read)).collect();
    let seen: Vec<i64> = ways.iterate.iter().map(|(name, read)| time(name, rows, read)).collect();
    assert!(found.windows(2).all(|sums| sums[0] == sums[1]), "sums over the same rows: {found:?}");
    assert!(seen.windows(2).all(|sums| sums[0] == sums[1]), "sums over all rows: {seen:?}");
    assert!(seen.first().is_none_or(|&sum| sum != 0) && found.first().is_none_or(|&sum| sum != 0));
}

/// Counts what a callback is shown.
fn counter() -> (Arc<AtomicU64>, impl FnMut(u64) + Send + 'static) {
    let count = Arc::new(AtomicU64::new(0));
    let shared = Arc::clone(&count);
    let add = move |id| {
        black_box(id);
        shared.fetch_add(1, Ordering::Relaxed);
    };
    (count, add)
}

fn update<C: Client>(options: &Options, rows: u64) {
    let mut client = C::connect(options);
    client.subscribe(Table::Entity);
    check_count(&client, Table::Entity, rows);
    let (count, add) = counter();
    client.on_entity_update(add);
    let call = Call::MoveEntities { from: 0, n: ROWS };
    transactions(&mut client, "update", rows, call, &count);
    check_count(&client, Table::Entity, rows);
}

fn events<C: Client>(options: &Options) {
    let mut client = C::connect(options);
    let (count, add) = counter();
    client.on_tick(add);
    client.subscribe(Table::Tick);
    transactions(&mut client, "events", u64::from(ROWS), Call::EmitTicks(ROWS), &count);
}

/// Transactions of many rows, one after the other, each shown to a callback row by row.
fn transactions<C: Client>(client: &mut C, case: &str, n: u64, call: Call, count: &AtomicU64) {
    let has_rows = client.count(Table::Tick).is_some();
    client.call(call);
    client.call(Call::Ping(0));
    let expected = |transactions: u64| if has_rows { transactions * u64::from(ROWS) } else { 0 };
    assert_eq!(count.swap(0, Ordering::Relaxed), expected(1), "rows that the callback saw");
    let span = Span::start();
    let mut walls: Vec<f64> = (0..TRANSACTIONS)
        .map(|_| {
            let start = Instant::now();
            let end = client.call(call);
            (end.at - start).as_secs_f64() * 1e3
        })
        .collect();
    client.call(Call::Ping(0));
    let cpu = span.cpu();
    span.emit_noise(C::NAME, case, n);
    assert_eq!(count.load(Ordering::Relaxed), expected(TRANSACTIONS), "rows that the callback saw");
    let each = cpu / (TRANSACTIONS * u64::from(ROWS)) as f64 * 1e9;
    measure::emit(C::NAME, &format!("{case}.cpu"), n, each, "ns/row");
    measure::emit(C::NAME, &format!("{case}.wall"), n, percentile(&mut walls, 0.5), "ms");
}

fn in_turn<C: Client>(options: &Options) {
    let mut client = C::connect(options);
    client.ping_in_turn(CALLS_IN_TURN / 10, &mut Vec::new());
    let mut times = Vec::with_capacity(CALLS_IN_TURN as usize);
    let span = Span::start();
    client.ping_in_turn(CALLS_IN_TURN, &mut times);
    let cpu = span.cpu();
    span.emit_noise(C::NAME, "rtt", CALLS_IN_TURN);
    assert_eq!(times.len() as u64, CALLS_IN_TURN);
    let report = |metric: &str, value: f64| {
        measure::emit(C::NAME, metric, CALLS_IN_TURN, value * 1e6, "us");
    };
    report("rtt.cpu", cpu / CALLS_IN_TURN as f64);
    report("rtt.p50", percentile(&mut times, 0.5));
    report("rtt.p99", percentile(&mut times, 0.99));
}

fn in_flight<C: Client>(options: &Options) {
    let mut client = C::connect(options);
    client.call(Call::Ping(0));
    let span = Span::start();
    let end = client.ping_in_flight(CALLS_IN_FLIGHT, WINDOW);
    span.emit_noise(C::NAME, "pipelined", CALLS_IN_FLIGHT);
    let n = CALLS_IN_FLIGHT as f64;
    let rate = n / (end.at - span.at).as_secs_f64();
    measure::emit(C::NAME, "pipelined.cpu", CALLS_IN_FLIGHT, (end.cpu - span.cpu) / n * 1e6, "us");
    measure::emit(C::NAME, "pipelined.rate", CALLS_IN_FLIGHT, rate, "calls/s");
}
