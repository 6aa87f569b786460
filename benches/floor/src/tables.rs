//! Fills the tables, and records the frame that answers a subscription.

use std::env;

use bench_harness::{Compression, Options, Table};

use crate::socket::{Socket, range};

/// Rows a transaction.
const STEP: u64 = 50_000;

/// Runs `fill-entities N MOST`, `fill-messages N` or `record TABLE COMPRESSION FILE`, if the arguments ask for one.
pub(crate) fn ran() -> bool {
    let args: Vec<String> = env::args().skip(1).collect();
    let mut options =
        Options { uri: args[0].clone(), database: args[1].clone(), compression: Compression::None };
    let number = |place: usize| args[place].parse::<u64>().expect("a number");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    match args[2].as_str() {
        "fill-entities" => runtime.block_on(fill_entities(&options, number(3), number(4))),
        "fill-messages" => runtime.block_on(fill_messages(&options, number(3))),
        "record" => {
            options.compression = Compression::named(&args[4]);
            let frame = runtime.block_on(async {
                Socket::open(&options).await.subscribe(Table::named(&args[3]).sql()).await
            });
            std::fs::write(&args[5], frame).expect("a file that can be written");
        }
        _ => return false,
    }
    true
}

/// Leaves the entities `0..n`, out of at most `most`.
async fn fill_entities(options: &Options, n: u64, most: u64) {
    let mut socket = Socket::open(options).await;
    for from in (0..n).step_by(STEP as usize) {
        let rows = STEP.min(n - from) as u32;
        socket.call_raw("fill_entities", &range(from, rows)).await;
    }
    for from in (n..most).step_by(STEP as usize) {
        socket.call_raw("delete_entities", &range(from, STEP as u32)).await;
    }
}

async fn fill_messages(options: &Options, n: u64) {
    let mut socket = Socket::open(options).await;
    socket.call_raw("clear_messages", &[]).await;
    for from in (0..n).step_by(STEP as usize) {
        let rows = STEP.min(n - from) as u32;
        socket.call_raw("fill_messages", &rows.to_le_bytes()).await;
    }
}
