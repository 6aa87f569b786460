//! A SpacetimeDB server for tests: the engine of the published crates behind the HTTP and WebSocket that clients speak.
//!
//! `node` owns the engine and the databases, `http` and `websocket` are what a client meets. Which status, text and close
//! code a real server answers with was read off recorded exchanges of one; the engine itself decides everything else.

mod http;
mod node;
mod v8;
mod websocket;

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use node::Node;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: lightlike-engine PORT CACHE_DIR [DATA_DIR]";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let mut args = std::env::args().skip(1);
    let port: u16 = args.next().context(USAGE)?.parse().context(USAGE)?;
    let cache_dir: PathBuf = args.next().context(USAGE)?.into();
    let data_dir = args.next().map(PathBuf::from);

    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .with_context(|| format!("cannot listen on port {port}"))?;
    let address = listener.local_addr()?;
    let node = Node::start(address.port(), &cache_dir, data_dir.as_deref())?;
    println!("listening on {address}");

    // An answer is one small write: it must not wait for the acknowledgement of the last.
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            log::warn!("a socket stays with Nagle's algorithm: {error}");
        }
    });
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        ended = async { axum::serve(listener, http::router(node.clone())).await } => ended?,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    node.stop().await
}
