//! Messages on their way out, encoded and packed into frames.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::bsatn::EncodeError;
use crate::wire::{ClientMessage, Protocol, RequestId, encode_client};

/// On v3 several messages share a frame, up to this size: what the server's own TypeScript client caps its frames at.
const MAX_BATCH_BYTES: usize = 256 * 1024;

/// Initial room of a frame: most calls fit.
const FRAME_BYTES: usize = 128;

/// Frames that are to be sent. The last one may still grow.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<Vec<u8>>,
    /// Number of the next request, over all sockets.
    next_request: u32,
}

impl Outbox {
    /// A number for one more request.
    pub(crate) fn request_id(&mut self) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        id
    }

    /// Sets the number of the next request.
    pub(crate) fn seed(&mut self, next: RequestId) {
        self.next_request = next.0;
    }

    /// Queues a message: on v3 in the last frame, while that is small enough.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if something in the message is longer than the protocol can say; nothing is queued then.
    pub(crate) fn push(
        &mut self,
        message: &ClientMessage,
        protocol: Protocol,
    ) -> Result<(), EncodeError> {
        if let Some(frame) = self.frames.back_mut()
            && protocol == Protocol::V3
        {
            let start = frame.len();
            encode_client(message, frame)?;
            if frame.len() > MAX_BATCH_BYTES {
                let own = frame.split_off(start);
                self.frames.push_back(own);
            }
            return Ok(());
        }
        let mut frame = Vec::with_capacity(FRAME_BYTES);
        encode_client(message, &mut frame)?;
        self.frames.push_back(frame);
        Ok(())
    }

    /// The next frame.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.frames.pop_front().map(Bytes::from)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets everything: the socket is gone.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Text;

    fn query(id: u32, len: usize) -> ClientMessage {
        ClientMessage::OneOffQuery { request_id: RequestId(id), query: Text::from("x".repeat(len)) }
    }

    fn frames(protocol: Protocol, lens: &[usize]) -> Vec<usize> {
        let mut outbox = Outbox::default();
        for (id, len) in (0..).zip(lens) {
            outbox.push(&query(id, *len), protocol).unwrap();
        }
        std::iter::from_fn(|| outbox.pop()).map(|frame| frame.len()).collect()
    }

    #[test]
    fn v2_sends_each_message_alone() {
        assert_eq!(frames(Protocol::V2, &[1, 2]), [10, 11]);
    }

    #[test]
    fn v3_batches_up_to_limit_and_splits_larger() {
        let large = MAX_BATCH_BYTES + 1;
        assert_eq!(frames(Protocol::V3, &[1, 2, large, 3, 4]), [21, large + 9, 12 + 13]);
    }
}
