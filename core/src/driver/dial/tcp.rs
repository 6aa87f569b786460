//! TCP sockets that work on while their runtime ends.

use std::cell::Cell;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

thread_local! {
    static UNATTENDED: Cell<bool> = const { Cell::new(false) };
}

/// Time in which no runtime learns from the system what this thread's sockets are ready for: they ask the system themselves,
/// each time that they are polled.
pub(in crate::driver) struct Unattended(PhantomData<*const ()>);

impl Unattended {
    pub(in crate::driver) fn begin() -> Self {
        UNATTENDED.set(true);
        Self(PhantomData)
    }
}

impl Drop for Unattended {
    fn drop(&mut self) {
        UNATTENDED.set(false);
    }
}

/// A TCP socket of tokio's.
pub(in crate::driver) struct Tcp(TcpStream);

impl Tcp {
    pub(in crate::driver) fn new(stream: TcpStream) -> Self {
        Self(stream)
    }

    /// Does what the runtime knows no readiness for, if there is none that will.
    fn unattended<T>(
        &self,
        act: impl FnOnce(&socket2::Socket) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if !UNATTENDED.get() {
            return Poll::Pending;
        }
        match act(&SockRef::from(&self.0)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            done => Poll::Ready(done),
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.0).poll_read(cx, buf) {
            Poll::Pending => self.unattended(|mut socket| {
                let read = socket.read(buf.initialize_unfilled())?;
                buf.advance(read);
                Ok(())
            }),
            read => read,
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.0).poll_write(cx, bytes) {
            Poll::Pending => self.unattended(|mut socket| socket.write(bytes)),
            written => written,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.0).poll_write_vectored(cx, bytes) {
            Poll::Pending => self.unattended(|mut socket| socket.write_vectored(bytes)),
            written => written,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
