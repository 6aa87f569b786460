//! A recorded frame decompressed alone, with the libraries that the client uses: what a compressed subscription's CPU
//! time is compared with.

use std::env;

use bench_harness::{Span, emit};
use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::wire::FrameOpener;

/// Runs the case, if the arguments ask for it: `- - decompress FRAME ROWS NAME`.
pub(crate) fn ran() -> bool {
    let args: Vec<String> = env::args().skip(1).collect();
    let [_, _, case, frame, rows, name] = &args[..] else { return false };
    if case != "decompress" {
        return false;
    }
    let frame = Bytes::from(std::fs::read(frame).expect("the recorded frame"));
    let rows: u64 = rows.parse().expect("a number of rows");
    let compressed = frame.len();
    let span = Span::start();
    let body = FrameOpener::default().open(frame, &Limits::default()).expect("a frame");
    let cpu = span.cpu();
    assert!(body.len() as u64 > rows * 72, "{compressed} bytes hold {rows} rows");
    emit("lightlike", &format!("{name}.decompress"), rows, cpu, "s");
    true
}
