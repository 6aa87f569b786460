//! Streams that nobody reads, or not in time: they hold no more than they may, and hold nobody up.

use futures_util::{FutureExt as _, StreamExt};
use lightlike::connection::Limits;
use lightlike::events::Lagged;
use lightlike::prelude::*;
use lightlike_testkit::Server;

#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table(name = "page")]
struct Page {
    #[primary_key]
    id: u32,
    text: String,
}

const PAGE_BYTES: usize = 100_000;

fn page(id: u32, round: usize) -> Page {
    Page { id, text: format!("{round:08}{}", "x".repeat(PAGE_BYTES - 8)) }
}

async fn server() -> Server {
    Server::builder().database("pages").table::<Page>().start().await
}

/// A client with these limits that has one page.
async fn client(server: &Server, limits: Limits) -> (Client, Subscription) {
    server.run(|tx| tx.upsert(page(1, 0)));
    let db = Client::builder(server.uri(), "pages").limits(limits).connect().await.unwrap();
    let set = db.subscribe(Page::all()).await.unwrap();
    (db, set)
}

/// Waits until the page is of this round.
async fn seen(db: &Client, round: usize) {
    let pages = db.table::<Page>();
    while pages.get(&1) != Some(page(1, round)) {
        tokio::task::yield_now().await;
    }
}

/// Number of items that are there, and of those that went by.
fn drain<T>(stream: &mut (impl StreamExt<Item = Result<T, Lagged>> + Unpin)) -> (usize, u64) {
    let (mut items, mut missed) = (0, 0);
    while let Some(Some(item)) = stream.next().now_or_never() {
        match item {
            Ok(_) => items += 1,
            Err(Lagged(events)) => missed += events,
        }
    }
    (items, missed)
}

#[tokio::test]
async fn streams_hold_no_more_bytes_than_they_may() {
    let server = server().await;
    let mut limits = Limits::default();
    limits.max_stream_bytes = 1_000_000;
    let (db, _set) = client(&server, limits).await;
    let pages = db.table::<Page>();
    let (mut changes, mut inserts) = (pages.changes(), pages.inserts());
    let mut updates = pages.updates().max_bytes(3 * PAGE_BYTES);
    let mut broadcast = db.broadcast();
    for round in 1..=50 {
        server.run(|tx| tx.update(page(1, round)));
    }
    seen(&db, 50).await;
    // Each is the page before and the page after.
    assert_eq!(drain(&mut changes), (4, 46));
    assert_eq!(drain(&mut broadcast), (4, 46));
    assert_eq!(drain(&mut updates), (1, 49));
    assert_eq!(drain(&mut inserts), (0, 0));
}

#[tokio::test]
async fn unread_transactions_hold_nobody_up() {
    let server = server().await;
    let mut limits = Limits::default();
    limits.max_dead_bytes = 20 * PAGE_BYTES;
    let (db, _set) = client(&server, limits).await;
    let mut transactions = db.transactions();
    for round in 1..=100 {
        server.run(|tx| tx.update(page(1, round)));
    }
    seen(&db, 100).await;
    let (held, missed) = drain(&mut transactions);
    assert!((5..=10).contains(&held) && held as u64 + missed == 100, "{held} of 100");

    // Nor do those of many small rows, which are bounded by their number.
    let mut limits = Limits::default();
    limits.max_dead_rows = 100;
    let (db, _set) = client(&server, limits).await;
    let mut transactions = db.transactions();
    for round in 1..=300 {
        server.run(|tx| tx.update(Page { id: 1, text: round.to_string() }));
    }
    let pages = db.table::<Page>();
    while pages.get(&1).is_none_or(|page| page.text != "300") {
        tokio::task::yield_now().await;
    }
    let (held, missed) = drain(&mut transactions);
    assert!((10..=51).contains(&held) && held as u64 + missed == 300, "{held} of 300");
}
