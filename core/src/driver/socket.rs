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
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::meter::Metered;
use crate::conn::{Action, Lost, PartialMessage};
use crate::limits::Limits;
use crate::wire::FrameError;

/// Byte stream below a connection: TCP, TLS, or anything else.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Size of a read from the operating system. Each connection keeps this much, so a thousand idle ones count.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Number of bytes gathered before they are written, so that many calls are one write. What is there is always flushed.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// A longer message leaves in frames of this much: each is copied into the buffer, and taken out of it bit by bit.
const FRAGMENT_BYTES: usize = 64 * 1024;

/// Bytes that the buffer holds while the server does not read: one frame of ours, and answers to its pings. Where there is
/// no room only the latest ping is answered.
const MAX_WRITE_BUFFER_BYTES: usize = 2 * FRAGMENT_BYTES + WRITE_BUFFER_BYTES;

/// Shorter messages are copied out of the buffer that they were read into, of which each would keep all.
const COPIED_BYTES: usize = READ_BUFFER_BYTES / 2;

/// Bytes that are read before the loop looks at what else there is to do.
const TURN_BYTES: usize = 64 * 1024;

/// An open WebSocket, and what is to be sent over it.
pub struct Socket {
    stream: WebSocketStream<Metered>,
    outgoing: VecDeque<Message>,
    /// Something was handed to the stream that it may not have written yet.
    unflushed: bool,
    /// Error for which nothing can be written any more.
    unwritable: Option<Lost>,
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
            .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
            .max_message_size(Some(limits.max_frame_bytes))
            .max_frame_size(Some(limits.max_frame_bytes));
        let io = Metered::new(io, &read);
        let stream =
            WebSocketStream::from_partially_read(io, read, Role::Client, Some(config)).await;
        Self { stream, outgoing: VecDeque::new(), unflushed: false, unwritable: None }
    }

    /// Takes what the machine wants done with an open socket.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Send(message) => self.send(message),
            Action::Ping => self.ping(),
            Action::Close => self.close(),
            // What these do to a socket is to end it.
            Action::Abandon | Action::Dial(_) => (),
        }
    }

    fn send(&mut self, mut message: Bytes) {
        let mut data = Data::Binary;
        while message.len() > FRAGMENT_BYTES {
            let fragment = message.split_to(FRAGMENT_BYTES);
            let frame = Frame::message(fragment, OpCode::Data(data), false);
            self.outgoing.push_back(Message::Frame(frame));
            data = Data::Continue;
        }
        let frame = Frame::message(message, OpCode::Data(data), true);
        self.outgoing.push_back(Message::Frame(frame));
    }

    /// Sends a ping, unless one waits to leave: a server that does not read gets no more of them for being late.
    fn ping(&mut self) {
        if !self.outgoing.iter().any(Message::is_ping) {
            self.outgoing.push_back(Message::Ping(Bytes::new()));
        }
    }

    fn close(&mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.outgoing.push_back(Message::Close(Some(frame)));
    }

    /// Writes what can be written, then reads. Safe to call again after `Pending`, whatever else was done meanwhile.
    ///
    /// A server that hangs up on a message says why and stops reading. So when writing fails, what it said is read first.
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        can_receive: bool,
    ) -> Poll<SocketEvent> {
        if self.unwritable.is_none() {
            self.unwritable = self.poll_write(cx).err().map(lost);
        }
        if !can_receive {
            return self.unwritable();
        }
        self.stream.get_mut().allow(TURN_BYTES);
        match Pin::new(&mut self.stream).poll_next(cx) {
            Poll::Pending if self.stream.get_ref().has_bytes() => Poll::Ready(SocketEvent::Part),
            Poll::Pending => self.unwritable(),
            Poll::Ready(message) => Poll::Ready(self.received(cx, message)),
        }
    }

    /// Returns `true` if something is to be written, or may not be written yet.
    pub(super) fn is_unwritten(&self) -> bool {
        self.unflushed || !self.outgoing.is_empty()
    }

    /// The end of the socket, where nothing can be written any more.
    fn unwritable(&mut self) -> Poll<SocketEvent> {
        self.unwritable.take().map_or(Poll::Pending, |lost| Poll::Ready(SocketEvent::Lost(lost)))
    }

    /// Bytes that came since this was asked last, and progress of the message that is arriving.
    pub(super) fn take_arrived(&mut self) -> (u64, Option<PartialMessage>) {
        let metered = self.stream.get_mut();
        (metered.take_bytes(), metered.partial())
    }

    /// Writes what the socket takes. Where that is not all, the task is woken when it takes more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        loop {
            self.hand_over(cx)?;
            if !self.unflushed || Pin::new(&mut self.stream).poll_flush(cx)?.is_pending() {
                return Ok(());
            }
            self.unflushed = false;
            if self.outgoing.is_empty() {
                return Ok(());
            }
        }
    }

    /// Hands messages to the stream while it has room.
    fn hand_over(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while let Some(message) = self.outgoing.pop_front() {
            // A close frame that finds no room would be lost.
            let waits = self.unflushed && message.is_close();
            if waits || Pin::new(&mut self.stream).poll_ready(cx)?.is_pending() {
                self.outgoing.push_front(message);
                self.unflushed = true;
                return Ok(());
            }
            let sent = Pin::new(&mut self.stream).start_send(message);
            self.unflushed = true;
            match sent {
                Ok(()) => (),
                Err(Error::WriteBufferFull(message)) => {
                    self.outgoing.push_front(*message);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn received(
        &mut self,
        cx: &mut Context<'_>,
        message: Option<Result<Message, Error>>,
    ) -> SocketEvent {
        match message {
            Some(Ok(Message::Binary(frame))) if frame.len() < COPIED_BYTES => {
                SocketEvent::Frame(Bytes::copy_from_slice(&frame))
            }
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
