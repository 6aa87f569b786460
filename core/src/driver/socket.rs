//! An open WebSocket.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::meter::Metered;
use crate::conn::{Lost, PartialMessage};
use crate::limits::Limits;
use crate::wire::FrameError;

/// Byte stream below a connection: TCP, TLS, or anything else.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Size of a read from the operating system. Each connection keeps this much, so a thousand idle ones count.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Number of bytes gathered before they are written, so that many calls are one write. What is there is always flushed.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// How much is read before the loop looks at what else there is to do.
const TURN_BYTES: usize = 64 * 1024;

/// An open WebSocket, and what is to be sent over it.
pub struct Socket {
    stream: WebSocketStream<Metered>,
    outgoing: VecDeque<Message>,
    /// Something was handed to the stream that it may not have written yet.
    unflushed: bool,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("outgoing", &self.outgoing.len()).finish_non_exhaustive()
    }
}

/// Event of an open socket.
#[derive(Debug)]
pub(super) enum SocketEvent {
    /// A binary message.
    Frame(Bytes),
    /// A ping or a pong.
    Heard,
    /// Bytes that complete no message.
    Part,
    /// It ended. Said once; the socket is to be dropped.
    Lost(Lost),
}

impl Socket {
    /// A WebSocket over a stream whose handshake is done; `read` was read beyond it.
    pub async fn open(io: Box<dyn Io>, read: Vec<u8>, limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(limits.max_frame_bytes))
            .max_frame_size(Some(limits.max_frame_bytes));
        let io = Metered::new(io, &read);
        let stream =
            WebSocketStream::from_partially_read(io, read, Role::Client, Some(config)).await;
        Self { stream, outgoing: VecDeque::new(), unflushed: false }
    }

    pub(super) fn send(&mut self, frame: Bytes) {
        self.outgoing.push_back(Message::Binary(frame));
    }

    pub(super) fn ping(&mut self) {
        self.outgoing.push_back(Message::Ping(Bytes::new()));
    }

    pub(super) fn close(&mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.outgoing.push_back(Message::Close(Some(frame)));
    }

    /// Writes what can be written, then reads. Safe to call again after `Pending`, whatever else was done meanwhile.
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        can_receive: bool,
    ) -> Poll<SocketEvent> {
        if let Err(error) = self.poll_write(cx) {
            return Poll::Ready(SocketEvent::Lost(lost(error)));
        }
        if !can_receive {
            return Poll::Pending;
        }
        self.stream.get_mut().allow(TURN_BYTES);
        match Pin::new(&mut self.stream).poll_next(cx) {
            Poll::Pending if self.stream.get_ref().has_bytes() => Poll::Ready(SocketEvent::Part),
            Poll::Pending => Poll::Pending,
            Poll::Ready(message) => Poll::Ready(self.received(cx, message)),
        }
    }

    /// How many bytes came since this was asked last, and how far the message is that is arriving.
    pub(super) fn take_arrived(&mut self) -> (u64, Option<PartialMessage>) {
        let metered = self.stream.get_mut();
        (metered.take_bytes(), metered.partial())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut stream = Pin::new(&mut self.stream);
        while !self.outgoing.is_empty() {
            match stream.as_mut().poll_ready(cx)? {
                Poll::Pending => break,
                Poll::Ready(()) => {
                    if let Some(message) = self.outgoing.pop_front() {
                        stream.as_mut().start_send(message)?;
                        self.unflushed = true;
                    }
                }
            }
        }
        if self.unflushed && stream.poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        Ok(())
    }

    fn received(
        &mut self,
        cx: &mut Context<'_>,
        message: Option<Result<Message, Error>>,
    ) -> SocketEvent {
        match message {
            Some(Ok(Message::Binary(frame))) => SocketEvent::Frame(frame),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => SocketEvent::Heard,
            Some(Ok(Message::Text(_))) => {
                SocketEvent::Lost(Lost::Violation("it sent text on a binary protocol"))
            }
            Some(Ok(Message::Close(frame))) => {
                // Our answer is queued in the stream; the server need not get it for us to be done.
                let _ = Pin::new(&mut self.stream).poll_flush(cx);
                let (code, reason) = match frame {
                    Some(frame) => (frame.code.into(), frame.reason.as_str().into()),
                    // RFC 6455, 7.1.5: what a close frame without a code stands for.
                    None => (1005, Box::default()),
                };
                SocketEvent::Lost(Lost::Closed { code, reason })
            }
            Some(Err(error)) => SocketEvent::Lost(lost(error)),
            None => SocketEvent::Lost(Lost::HungUp),
        }
    }
}

fn lost(error: Error) -> Lost {
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Lost::HungUp,
        Error::Io(error) if error.kind() == io::ErrorKind::ConnectionReset => Lost::HungUp,
        Error::Io(error) => Lost::Io(Arc::new(error)),
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            Lost::Frame(FrameError::FrameTooLarge { bytes: size, limit: max_size })
        }
        error => Lost::Io(Arc::new(io::Error::other(error))),
    }
}
