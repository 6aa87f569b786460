//! A server that means no good takes no more of a client's memory and time than the limits say.
//!
//! The client runs in a process of its own, whose memory the system counts. Ceilings are twice what the limits add up to,
//! and what the process takes before the server begins.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]
#![expect(clippy::print_stdout, reason = "the client's process says its figures on its output")]

use std::io::{self, Write as _};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use lightlike::connection::Limits;
use lightlike::prelude::*;
use lightlike_core::wire::{ClientMessage, QuerySetId, RequestId};
use lightlike_tests::hostile::{
    BROTLI, GZIP, Hostile, PING, Peer, batch_applied, frame, message_frame, query_rows, update,
};

const MIB: usize = 1 << 20;
const NO_ROWS: &[&[u8]] = &[];

#[derive(Bsatn, Table, Clone, Debug)]
#[table(name = "note")]
struct Note {
    #[primary_key]
    id: u32,
    text: String,
}

fn note(id: u32, text: &[u8]) -> Vec<u8> {
    let len = u32::try_from(text.len()).unwrap();
    [&id.to_le_bytes()[..], &len.to_le_bytes(), text].concat()
}

/// A note of this many bytes that differs from round to round.
fn large_note(round: u32, bytes: usize) -> Vec<u8> {
    let mut text = vec![b'x'; bytes];
    text[..8].copy_from_slice(format!("{round:08}").as_bytes());
    note(1, &text)
}

/// Lines that a client's process says of itself, in order.
struct Report(Vec<(String, String)>);

impl Report {
    fn get(&self, name: &str) -> &str {
        let said = self.0.iter().find(|(said, _)| said == name);
        said.map_or_else(|| panic!("nothing is said of {name}: {:?}", self.0), |(_, value)| value)
    }

    fn number(&self, name: &str) -> usize {
        self.get(name).parse().unwrap()
    }

    /// The most memory that it took beside what it took at first, in MiB.
    fn peak(&self) -> usize {
        self.number("peak").saturating_sub(self.number("base"))
    }
}

/// Runs a client in a process of its own against the server.
fn run(case: &str, server: &Hostile) -> Report {
    let client = Command::new(std::env::current_exe().unwrap())
        .args(["the_client", "--exact", "--nocapture"])
        .env("HOSTILE_CASE", case)
        .env("HOSTILE_URI", server.uri())
        // So that the allocator gives large pieces back to the system when they are freed, and not when it likes.
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = client.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| line.split_once("hostile: ")?.1.split_once('='));
    let report = Report(lines.map(|(name, value)| (name.into(), value.into())).collect());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {text}\n{errors}");
    println!("{case}: {:?}", report.0);
    report
}

fn say(name: &str, value: impl std::fmt::Display) {
    println!("\nhostile: {name}={value}");
}

/// A figure of this process's memory, in MiB.
fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib: usize = line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    kib.div_ceil(1024)
}

async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

fn limits(case: &str) -> Limits {
    let mut limits = Limits::default();
    match case {
        "held" | "held small" => {
            (limits.max_dead_bytes, limits.max_received_bytes) = (48 * MIB, 8 * MIB);
        }
        "streams" => {
            (limits.max_dead_bytes, limits.max_received_bytes) = (32 * MIB, 8 * MIB);
            limits.max_stream_bytes = 16 * MIB;
        }
        "resync" => limits.max_resync_bytes = 32 * MIB,
        "calls" | "unticked calls" => limits.max_call_bytes = 16 * MIB,
        "sets" | "unticked sets" | "verify" => limits.max_query_set_bytes = 8 * MIB,
        "fragments" => limits.max_frame_bytes = 16 * MIB,
        _ => (),
    }
    limits
}

/// Client that the other tests start as a process; does nothing among the tests.
#[tokio::test]
async fn the_client() {
    let Some(uri) = std::env::var_os("HOSTILE_URI") else { return };
    let case = std::env::var("HOSTILE_CASE").unwrap();
    say("base", memory("VmRSS:"));
    let builder = Client::builder(uri.into_string().unwrap(), "victim").limits(limits(&case));
    match &*case {
        "unticked" | "unticked calls" | "unticked sets" => {
            let db = builder.build_manual().unwrap();
            let _set = db.subscribe(Note::all());
            while db.table::<Note>().is_empty() {
                let _ = db.tick(Budget::unlimited());
                wait(Duration::from_millis(5)).await;
            }
            match &*case {
                "unticked calls" => call_in_vain(&db),
                "unticked sets" => subscribe_in_vain(&db),
                _ => (),
            }
            wait(Duration::from_secs(3)).await;
        }
        "tables" => {
            let db = builder.build().unwrap();
            let _set = db.subscribe(Note::all());
            db.start().unwrap();
            let mut states = db.state();
            let lost =
                states.wait_for(|state| matches!(state, ConnectionState::Reconnecting { .. }));
            let lost = tokio::time::timeout(Duration::from_secs(60), lost).await.unwrap().unwrap();
            let ConnectionState::Reconnecting { reason, .. } = lost else { unreachable!() };
            say("lost", with_sources(&reason));
            wait(Duration::from_secs(5)).await;
        }
        _ => {
            let db = builder.connect().await.unwrap();
            let _sets = (db.subscribe(Note::all()), db.subscribe("SELECT * FROM other"));
            match &*case {
                "held" => hold_view(&db).await,
                "held small" => {
                    has_rows(&db).await;
                    let _view = db.read();
                    wait(Duration::from_secs(3)).await;
                }
                "streams" => leave_streams_unread(&db).await,
                "calls" => {
                    call_in_vain(&db);
                    wait(Duration::from_secs(1)).await;
                }
                "sets" => {
                    subscribe_in_vain(&db);
                    wait(Duration::from_secs(1)).await;
                }
                "verify" => verify_in_vain(&db).await,
                "brotli" => longest_stall(&db, BROTLI).await,
                "gzip" => longest_stall(&db, GZIP).await,
                _ => wait(Duration::from_secs(4)).await,
            }
        }
    }
    say("peak", memory("VmHWM:"));
    say("end", memory("VmRSS:"));
}

/// An error and what it comes from.
fn with_sources(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_sources(source)),
        None => error.to_string(),
    }
}

async fn hold_view(db: &Client) {
    has_rows(db).await;
    let view = db.read();
    wait(Duration::from_secs(3)).await;
    say_when_freed(view).await;
}

async fn leave_streams_unread(db: &Client) {
    has_rows(db).await;
    let notes = db.table::<Note>();
    let streams = (notes.changes(), notes.updates(), db.transactions(), db.broadcast());
    wait(Duration::from_secs(3)).await;
    say_when_freed(streams).await;
}

async fn has_rows(db: &Client) {
    while db.table::<Note>().is_empty() {
        wait(Duration::from_millis(5)).await;
    }
}

/// Drops what holds memory, and says how long it takes until most of that is given back.
async fn say_when_freed(holder: impl Sized) {
    let held = memory("VmRSS:");
    say("held", held);
    drop(holder);
    let dropped = Instant::now();
    while memory("VmRSS:") + 40 > held && dropped.elapsed() < Duration::from_secs(10) {
        wait(Duration::from_millis(10)).await;
    }
    say("freed_after_ms", dropped.elapsed().as_millis());
}

#[reducer]
fn note_down(text: String) -> Result<(), String>;

/// Makes calls of 200 MB, whose outcomes nobody waits for.
fn call_in_vain(db: &Client) {
    for _ in 0..20_000 {
        db.call(note_down("x".repeat(10_000))).forget();
    }
    // The last is refused, and says so.
    let mut last = db.call(note_down("x".repeat(10_000))).send();
    let mut cx = Context::from_waker(Waker::noop());
    let is_refused = matches!(
        Pin::new(&mut last).poll(&mut cx),
        Poll::Ready(Err(CallError::NotSent(why))) if why.to_string().contains("`max_call_bytes`")
    );
    say("refused", is_refused);
}

/// Begins query sets, and ends each at once.
fn subscribe_in_vain(db: &Client) {
    for _ in 0..300_000 {
        drop(db.subscribe(Note::all()));
    }
    say("refused", db.subscribe(Note::all()).is_ended());
}

/// Asks again and again for what is not answered.
async fn verify_in_vain(db: &Client) {
    has_rows(db).await;
    for _ in 0..300_000 {
        let mut verification = Box::pin(db.verify());
        let mut cx = Context::from_waker(Waker::noop());
        let _ = verification.as_mut().poll(&mut cx);
    }
    say("refused", db.verify().await.is_err());
}

/// Says how long this thread, which runs the client too, was kept from other tasks, and how long the bomb takes as a whole.
async fn longest_stall(db: &Client, tag: u8) {
    let started = Instant::now();
    let is_ready = || matches!(*db.state().borrow(), ConnectionState::Ready);
    while db.table::<Note>().is_empty() {
        wait(Duration::from_millis(1)).await;
    }
    let (mut longest, mut looked) = (Duration::ZERO, Instant::now());
    while is_ready() && started.elapsed() < Duration::from_secs(60) {
        wait(Duration::from_millis(1)).await;
        longest = longest.max(looked.elapsed());
        looked = Instant::now();
    }
    assert!(!is_ready(), "zeros are no message");
    say("longest_ms", longest.as_millis());
    say("peak", memory("VmHWM:"));
    let bomb = bomb(tag).into();
    let whole = Instant::now();
    let opened = lightlike_core::wire::open_frame(bomb, &Limits::default());
    assert_eq!(opened.unwrap().len(), 256 * MIB);
    say("whole_ms", whole.elapsed().as_millis());
}

/// Sends the same bytes until the client hangs up.
fn flood(peer: &mut Peer, bytes: &[u8]) -> io::Result<()> {
    loop {
        peer.raw(bytes)?;
    }
}

#[test]
fn pings_without_reading_take_bounded_memory() {
    let pings = frame(PING, &[7; 125]).repeat(500);
    let server = Hostile::start(move |mut peer, _| flood(&mut peer, &pings)).unwrap();
    let peak = run("wait", &server).peak();
    assert!(peak < 24, "{peak} MiB");
}

#[test]
fn tiny_frames_take_what_the_limit_says() {
    let server = Hostile::start(|mut peer, _| {
        let set = peer.apply("note", &[note(1, b"")])?;
        // Changes nothing, and is as short as a message can be.
        let nothing = update(set, "note", NO_ROWS, NO_ROWS);
        let tiny = message_frame(&nothing).repeat(1000);
        flood(&mut peer, &tiny)
    });
    let peak = run("unticked", &server.unwrap()).peak();
    assert!(peak <= 128, "{peak} MiB for 64 MiB of messages");
}

#[test]
fn client_that_nobody_ticks_stops_reading() {
    let server = Hostile::start(|mut peer, _| {
        let first = large_note(0, 20_000);
        let set = peer.apply("note", &[&first])?;
        let mut last = first;
        for round in 1.. {
            let next = large_note(round, 20_000);
            peer.send(&update(set, "note", &[&next], &[&last]))?;
            last = next;
        }
        Ok(())
    });
    let peak = run("unticked", &server.unwrap()).peak();
    assert!(peak <= 128, "{peak} MiB for 64 MiB of messages");
}

#[test]
fn view_over_large_updates_is_bounded_and_freed() {
    const BYTES: usize = 200_000;
    let server = Hostile::start(|mut peer, _| {
        let mut last = large_note(0, BYTES);
        let set = peer.apply("note", &[&last])?;
        for round in 1..2000 {
            let next = large_note(round, BYTES);
            peer.send(&update(set, "note", &[&next], &[&last]))?;
            last = next;
        }
        let _ = peer.message();
        Ok(())
    });
    let report = run("held", &server.unwrap());
    // 48 MiB of rows and 8 MiB of messages are allowed.
    assert!(report.peak() < 112, "{} MiB", report.peak());
    assert!(report.number("freed_after_ms") < 2000, "{}", report.get("freed_after_ms"));
}

#[test]
fn view_over_small_updates_is_bounded() {
    const ROWS: u32 = 1000;
    let notes = |round: u32| -> Vec<_> {
        (0..ROWS).map(|id| note(id, format!("round {round}").as_bytes())).collect()
    };
    let server = Hostile::start(move |mut peer, _| {
        let mut last = notes(0);
        let set = peer.apply("note", &last)?;
        for round in 1..5000 {
            let next = notes(round);
            peer.send(&update(set, "note", &next, &last))?;
            last = next;
        }
        let _ = peer.message();
        Ok(())
    });
    // The allocator may keep what small rows gave back.
    let report = run("held small", &server.unwrap());
    assert!(report.peak() < 112, "{} MiB", report.peak());
}

#[test]
fn unread_streams_are_bounded_and_freed_when_dropped() {
    const BYTES: usize = 200_000;
    let server = Hostile::start(|mut peer, _| {
        let mut last = large_note(0, BYTES);
        let set = peer.apply("note", &[&last])?;
        for round in 1..2000 {
            let next = large_note(round, BYTES);
            peer.send(&update(set, "note", &[&next], &[&last]))?;
            last = next;
        }
        let _ = peer.message();
        Ok(())
    });
    let report = run("streams", &server.unwrap());
    // Four streams of 16 MiB, 32 MiB of rows and 8 MiB of messages are allowed.
    assert!(report.peak() < 208, "{} MiB", report.peak());
    assert!(report.number("freed_after_ms") < 2000, "{}", report.get("freed_after_ms"));
}

/// Gives the first set a row, and neither reads nor says anything after that.
fn silent_server() -> Hostile {
    let server = Hostile::start(|mut peer, _| {
        peer.apply("note", &[note(1, b"a")])?;
        std::thread::sleep(Duration::from_secs(20));
        Ok(())
    });
    server.unwrap()
}

#[test]
fn unanswered_calls_are_bounded() {
    for case in ["calls", "unticked calls"] {
        let report = run(case, &silent_server());
        assert_eq!(report.get("refused"), "true", "{case}");
        // As much again may wait where nobody ticks: refusals that are not delivered.
        assert!(report.peak() < 72, "{case}: {} MiB", report.peak());
    }
}

#[test]
fn unanswered_query_sets_are_bounded() {
    for case in ["sets", "unticked sets"] {
        let report = run(case, &silent_server());
        assert_eq!(report.get("refused"), "true", "{case}");
        assert!(report.peak() < 40, "{case}: {} MiB", report.peak());
    }
}

#[test]
fn unanswered_verifications_are_bounded() {
    let report = run("verify", &silent_server());
    assert_eq!(report.get("refused"), "true");
    assert!(report.peak() < 40, "{} MiB", report.peak());
}

#[test]
fn server_that_hangs_up_costs_unticked_client_nothing() {
    let server = Hostile::start(|mut peer, before| {
        if before == 0 {
            peer.apply("note", &[note(1, b"a")])?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    });
    let peak = run("unticked", &server.unwrap()).peak();
    assert!(peak < 24, "{peak} MiB");
}

#[test]
fn message_without_end_is_given_up_at_limit() {
    let first = frame(0x02, &[0; 60_000]);
    let next = frame(0x00, &[0; 60_000]);
    let server = Hostile::start(move |mut peer, _| {
        peer.raw(&first)?;
        flood(&mut peer, &next)
    });
    let peak = run("fragments", &server.unwrap()).peak();
    assert!(peak < 48, "{peak} MiB for 16 MiB of a message");
}

#[test]
fn resync_that_never_ends_is_bounded() {
    const BYTES: usize = 100_000;
    let server = Hostile::start(|mut peer, before| {
        if before == 0 {
            peer.apply("note", &[note(1, b"a")])?;
            peer.apply("other", &[b"b"])?;
            return Ok(());
        }
        let mut last = large_note(0, BYTES);
        let set = answer_one_set(&mut peer, &last)?;
        for round in 1.. {
            let next = large_note(round, BYTES);
            peer.send(&update(set, "note", &[&next], &[&last]))?;
            last = next;
        }
        Ok(())
    });
    let peak = run("resync", &server.unwrap()).peak();
    assert!(peak < 200, "{peak} MiB");
}

/// Answers the first of the sets that are asked for again, and none of the others.
fn answer_one_set(peer: &mut Peer, row: &[u8]) -> io::Result<QuerySetId> {
    loop {
        match peer.message()? {
            ClientMessage::SubscribeBatch { request_id, sets } => {
                let set = sets[0].query_set_id;
                peer.send(&batch_applied(request_id, [(set, query_rows("note", &[row]))]))?;
                return Ok(set);
            }
            ClientMessage::Subscribe { query_set_id, .. } => {
                peer.send(&batch_applied(
                    RequestId(0),
                    [(query_set_id, query_rows("note", &[row]))],
                ))?;
                return Ok(query_set_id);
            }
            _ => (),
        }
    }
}

#[test]
fn new_table_name_each_message_is_bounded() {
    let server = Hostile::start(|mut peer, _| {
        let set = peer.apply("note", &[note(1, b"a")])?;
        for name in 0.. {
            peer.send(&update(set, &format!("table {name}"), &[b"row"], NO_ROWS))?;
        }
        Ok(())
    });
    let report = run("tables", &server.unwrap());
    assert!(report.get("lost").contains("`max_table_bytes`"), "{}", report.get("lost"));
    assert!(report.peak() < 64, "{} MiB", report.peak());
}

/// A frame of a kilobyte or less that holds 256 MiB of zeros.
fn bomb(tag: u8) -> Vec<u8> {
    let zeros = vec![0; MIB];
    let compressed = if tag == GZIP {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        (0..256).for_each(|_| encoder.write_all(&zeros).unwrap());
        encoder.finish().unwrap()
    } else {
        let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
        (0..256).for_each(|_| encoder.write_all(&zeros).unwrap());
        encoder.into_inner()
    };
    [&[tag], &*compressed].concat()
}

#[test]
fn bombs_keep_nobody_from_running() {
    for tag in [BROTLI, GZIP] {
        let frame = frame(0x82, &bomb(tag));
        let server = Hostile::start(move |mut peer, before| {
            if before == 0 {
                peer.apply("note", &[note(1, b"a")])?;
                peer.raw(&frame)?;
            }
            let _ = peer.message();
            std::thread::sleep(Duration::from_secs(10));
            Ok(())
        });
        let report = run(if tag == BROTLI { "brotli" } else { "gzip" }, &server.unwrap());
        let (longest, whole) = (report.number("longest_ms"), report.number("whole_ms"));
        assert!(longest < whole / 2, "{longest} ms at once, of {whole} ms");
        // What it holds, and the half of that which is there while it grows.
        assert!(report.peak() < 512, "{} MiB", report.peak());
    }
}

#[test]
fn announced_lengths_take_no_memory() {
    // A frame of almost as much as is allowed, of which nothing comes.
    let mut header = vec![0x82, 127];
    header.extend((500_u64 << 20).to_be_bytes());
    let server = Hostile::start(move |mut peer, _| {
        peer.raw(&header)?;
        let _ = peer.message();
        std::thread::sleep(Duration::from_secs(5));
        Ok(())
    });
    let peak = run("wait", &server.unwrap()).peak();
    assert!(peak < 24, "{peak} MiB");
}
