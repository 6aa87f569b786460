//! Messages that wait to be sent on one connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lightlike_core::wire::ServerMessage;
use tokio::sync::Notify;

/// Maximal number of waiting items before the client is taken for dead and cut off.
///
/// # Source
///
/// The server's own limit on queued outbound messages.
const MAX_WAITING: usize = 16_384;

/// One thing to do on a socket, in order.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Message(ServerMessage),
    /// A WebSocket message with this payload, whatever it is.
    Payload(Bytes),
    /// The beginning of the frame that would carry this message, and then the end.
    Truncated {
        message: ServerMessage,
        bytes: usize,
    },
    Close {
        code: u16,
        reason: String,
    },
    Delay(Duration),
    /// The socket ends, without a close frame.
    Cut,
    /// The socket stays open and is neither read nor written any more.
    Stall,
}

impl Outgoing {
    /// Returns `true` if nothing follows it.
    pub(crate) fn is_last(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::Close { .. } | Self::Cut | Self::Stall)
    }
}

/// The queue between those who decide what a client hears and the task that writes it.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    contents: Mutex<Contents>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Contents {
    items: VecDeque<Outgoing>,
    /// Whole control frames, which may overtake messages.
    control: Vec<u8>,
    cut: bool,
    stalled: bool,
    /// No more will come: the peer has ended the connection.
    ended: bool,
}

/// Work for the writing task.
#[derive(Debug)]
pub(crate) enum Work {
    /// End now, whatever waits.
    Cut,
    /// Control frames, then items.
    Some { control: Vec<u8>, items: VecDeque<Outgoing> },
    /// Nothing now.
    Nothing,
    /// Nothing, and nothing will come.
    Ended,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, item: Outgoing) {
        let mut contents = self.lock();
        contents.items.push_back(item);
        contents.cut |= contents.items.len() > MAX_WAITING;
        drop(contents);
        self.wake.notify_one();
    }

    pub(crate) fn push_control(&self, frames: &[u8]) {
        self.lock().control.extend_from_slice(frames);
        self.wake.notify_one();
    }

    /// Ends the connection at once, whatever waits to be sent.
    pub(crate) fn cut(&self) {
        self.lock().cut = true;
        self.wake.notify_one();
    }

    pub(crate) fn stall(&self) {
        self.lock().stalled = true;
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.lock().stalled
    }

    /// Says that the peer is gone: what waits is not worth sending, but for control frames.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.wake.notify_one();
    }

    /// Takes what can be sent; while `held`, only control frames.
    pub(crate) fn take(&self, held: bool) -> Work {
        let mut contents = self.lock();
        if contents.cut {
            return Work::Cut;
        }
        let control = std::mem::take(&mut contents.control);
        let items = if held || contents.ended {
            VecDeque::new()
        } else {
            std::mem::take(&mut contents.items)
        };
        if !control.is_empty() || !items.is_empty() {
            return Work::Some { control, items };
        }
        if contents.ended { Work::Ended } else { Work::Nothing }
    }

    /// Takes the control frames that may go between two pieces of a message.
    pub(crate) fn take_control(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock().control)
    }

    /// Returns `true` if the connection is to end at once.
    pub(crate) fn is_cut(&self) -> bool {
        self.lock().cut
    }

    /// Returns `true` if the connection is to end, at once or because the peer is gone.
    pub(crate) fn is_over(&self) -> bool {
        let contents = self.lock();
        contents.cut || contents.ended
    }

    /// Waits until something may have changed.
    pub(crate) async fn changed(&self) {
        self.wake.notified().await;
    }
}
