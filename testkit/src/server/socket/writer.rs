//! The task that writes one connection's socket.

use std::collections::VecDeque;
use std::time::Duration;

use lightlike_core::wire::{Compression, Protocol, ServerMessage};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::frames;
use super::outbox::{Outbox, Outgoing, Work};

/// Interval at which the server pings the client; first at once.
///
/// # Source
///
/// SpacetimeDB 2.14.0.
const PING_PERIOD: Duration = Duration::from_secs(15);

/// Time for which the server waits for the client's answer to a close frame.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Number of frame bytes that are given to the socket at once.
const WRITE_BYTES: usize = 64 << 10;

/// The writing half of a connection.
pub(crate) struct Writer<'a, W> {
    pub(crate) socket: W,
    pub(crate) outbox: &'a Outbox,
    pub(crate) protocol: Protocol,
    pub(crate) compression: Compression,
    /// Number of guards that hold replies back.
    pub(crate) held: watch::Receiver<usize>,
}

/// The connection ends.
struct Ended;

impl From<std::io::Error> for Ended {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl<W: AsyncWrite + Unpin> Writer<'_, W> {
    /// Writes until the connection ends, and says so to the peer's side of the socket by dropping it.
    pub(crate) async fn run(mut self) {
        let mut pings = interval(PING_PERIOD);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let held = *self.held.borrow_and_update() > 0;
            let done = match self.outbox.take(held) {
                Work::Cut | Work::Ended => Err(Ended),
                Work::Some { control, items } => self.write(&control, items).await,
                Work::Nothing => {
                    tokio::select! {
                        () = self.outbox.changed() => Ok(()),
                        // The sender lives as long as the server.
                        _ = self.held.changed() => Ok(()),
                        _ = pings.tick() => self.socket.write_all(&frames::ping()).await.map_err(Ended::from),
                    }
                }
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn write(&mut self, control: &[u8], items: VecDeque<Outgoing>) -> Result<(), Ended> {
        self.socket.write_all(control).await?;
        let mut messages = Vec::new();
        for item in items {
            if let Outgoing::Message(message) = item {
                messages.push(message);
                continue;
            }
            self.write_messages(&mut messages).await?;
            self.write_special(item).await?;
        }
        self.write_messages(&mut messages).await
    }

    async fn write_messages(&mut self, messages: &mut Vec<ServerMessage>) -> Result<(), Ended> {
        // A message that cannot be encoded is one that no client can be told: like the server, give up.
        let payloads =
            frames::payloads(messages, self.protocol, self.compression).map_err(|_| Ended)?;
        messages.clear();
        for payload in payloads {
            self.write_payload(&payload).await?;
        }
        Ok(())
    }

    async fn write_payload(&mut self, payload: &[u8]) -> Result<(), Ended> {
        let mut buffer = Vec::with_capacity(payload.len().min(WRITE_BYTES));
        for frame in frames::message_frames(payload) {
            buffer.extend_from_slice(&frame);
            if buffer.len() >= WRITE_BYTES {
                self.flush(&mut buffer).await?;
            }
        }
        self.flush(&mut buffer).await
    }

    /// Writes frames, and then the control frames that came meanwhile.
    async fn flush(&mut self, buffer: &mut Vec<u8>) -> Result<(), Ended> {
        self.socket.write_all(buffer).await?;
        buffer.clear();
        if self.outbox.is_cut() {
            return Err(Ended);
        }
        Ok(self.socket.write_all(&self.outbox.take_control()).await?)
    }

    async fn write_special(&mut self, item: Outgoing) -> Result<(), Ended> {
        match item {
            Outgoing::Message(_) => Ok(()),
            Outgoing::Payload(payload) => self.write_payload(&payload).await,
            Outgoing::Truncated { message, bytes } => {
                let payloads = frames::payloads(&[message], self.protocol, self.compression)
                    .map_err(|_| Ended)?;
                let all: Vec<u8> = payloads
                    .iter()
                    .flat_map(|payload| frames::message_frames(payload))
                    .flatten()
                    .collect();
                self.socket.write_all(&all[..all.len().min(bytes)]).await?;
                Err(Ended)
            }
            Outgoing::Close { code, reason } => {
                self.socket.write_all(&frames::close(code, &reason)).await?;
                self.until_cut(CLOSE_PATIENCE).await;
                Err(Ended)
            }
            Outgoing::Delay(delay) => {
                self.until_cut(delay).await;
                if self.outbox.is_over() { Err(Ended) } else { Ok(()) }
            }
            Outgoing::Cut => Err(Ended),
            Outgoing::Stall => {
                self.outbox.stall();
                self.until_cut(Duration::MAX).await;
                Err(Ended)
            }
        }
    }

    /// Waits this long, or until the connection is cut or ended.
    async fn until_cut(&self, patience: Duration) {
        let cut = async {
            while !self.outbox.is_over() {
                self.outbox.changed().await;
            }
        };
        // Either way the wait is over.
        let _ = timeout(patience, cut).await;
    }
}
