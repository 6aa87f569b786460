//! A request's body that tells how much of it is sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http_body::{Body, Frame, SizeHint};

/// Hears how many bytes of a body were taken to be sent.
pub(crate) type OnUpload = Arc<dyn Fn(u64) + Send + Sync>;

/// Number of bytes handed over at once.
const CHUNK_BYTES: usize = 64 << 10;

pub(crate) struct Upload {
    left: Bytes,
    sent: u64,
    on_upload: OnUpload,
}

impl Upload {
    pub(crate) fn new(body: Bytes, on_upload: OnUpload) -> Self {
        Self { left: body, sent: 0, on_upload }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let chunk = self.left.len().min(CHUNK_BYTES);
        let chunk = self.left.split_to(chunk);
        self.sent += chunk.len() as u64;
        (self.on_upload)(self.sent);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.remaining() as u64)
    }
}
