//! The thread that a server runs on.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::state::Shared;
use crate::server::socket::connection::serve;

/// Reason for which a server did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start a server on {address}: {source}")]
pub struct StartError {
    address: SocketAddr,
    r#source: io::Error,
}

/// A thread with a runtime, and the listener on it.
///
/// A thread of the server's own lets tests block, and lets them run without a runtime. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Thread {
    runtime: Handle,
    address: SocketAddr,
    listening: Mutex<Option<Listening>>,
    /// Dropping it ends the thread.
    _end: oneshot::Sender<()>,
}

/// Number of bytes that either end of a stream in memory may write ahead: as much as a socket of the system's.
const STREAM_BYTES: usize = 64 << 10;

/// A listener at work.
#[derive(Debug)]
struct Listening {
    /// For connections that no network carries.
    streams: mpsc::Sender<DuplexStream>,
    /// Dropping it ends the listener and all connections.
    _stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
}

impl Thread {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self, StartError> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let failed = |source| StartError { address: any, source };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let listener = StdListener::bind(any).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (end, ended) = oneshot::channel();
        let run = move || {
            // Either way the server's handles are gone.
            let _ = runtime.block_on(ended);
            // A procedure may still block; nobody waits for it.
            runtime.shutdown_background();
        };
        std::thread::Builder::new()
            .name("lightlike-testkit".to_owned())
            .spawn(run)
            .map_err(failed)?;
        let thread = Self { runtime: handle, address, listening: Mutex::new(None), _end: end };
        thread.accept(shared, listener).map_err(failed)?;
        Ok(thread)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens at the same address as before.
    pub(super) fn listen(&self, shared: &Arc<Shared>) -> Result<(), StartError> {
        let failed = |source| StartError { address: self.address, source };
        let listener = StdListener::bind(self.address).map_err(failed)?;
        self.accept(shared, listener).map_err(failed)
    }

    /// Ends the listener and all connections, and waits until they are gone.
    pub(super) async fn stop(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Listening { _stop, stopped, .. }) = listening {
            drop(_stop);
            // Gone either way.
            let _ = stopped.await;
        }
    }

    /// A stream to the server that no network carries.
    pub(super) async fn connect(&self) -> io::Result<DuplexStream> {
        let streams = {
            let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
            listening.as_ref().map(|listening| listening.streams.clone())
        };
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let (ours, theirs) = tokio::io::duplex(STREAM_BYTES);
        streams.ok_or_else(refused)?.send(theirs).await.map_err(|_| refused())?;
        Ok(ours)
    }

    fn accept(&self, shared: &Arc<Shared>, listener: StdListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let _context = self.runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        let (stop, stopping) = oneshot::channel();
        let (gone, stopped) = oneshot::channel();
        let (streams, mut offered) = mpsc::channel(1);
        let shared = Arc::clone(shared);
        self.runtime.spawn(async move {
            let mut connections = JoinSet::new();
            tokio::select! {
                _ = stopping => {}
                () = accept_all(&shared, &listener, &mut offered, &mut connections) => {}
            }
            drop(listener);
            connections.shutdown().await;
            // Whoever stopped it may not be waiting.
            let _ = gone.send(());
        });
        let listening = Listening { streams, _stop: stop, stopped };
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(listening);
        Ok(())
    }
}

async fn accept_all(
    shared: &Arc<Shared>,
    listener: &TcpListener,
    offered: &mut mpsc::Receiver<DuplexStream>,
    connections: &mut JoinSet<()>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // The server's replies are small and awaited.
                    let _ = stream.set_nodelay(true);
                    let (reader, writer) = stream.into_split();
                    connections.spawn(serve(Arc::clone(shared), Box::new(reader), Box::new(writer)));
                }
                // The peer may have gone before it was accepted. Yielding keeps an error that stays from spinning.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(stream) = offered.recv() => {
                let (reader, writer) = tokio::io::split(stream);
                connections.spawn(serve(Arc::clone(shared), Box::new(reader), Box::new(writer)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
