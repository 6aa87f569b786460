//! Bounded streams of events.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use lightlike_core::bsatn::{Decode, Writer};
use lightlike_core::guard;
use lightlike_core::schema::Row;

use crate::events::callbacks::{CallbackId, ScopedCallback};
use crate::events::event::Lagged;
use crate::sync::lock;

/// Capacity of a stream where nothing else is said, in events.
pub(crate) const DEFAULT_CAPACITY: usize = 4096;

/// Capacity of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

/// Events in the server's order. It ends when the connection is closed for good, and keeps nothing open.
///
/// It holds a bounded number of events, and a bounded number of bytes. When either is reached the oldest events are dropped,
/// and the next item says how many: `Err(Lagged(n))`. The newest event is always there, whatever it takes. Dropping the
/// stream gives back everything at once.
#[must_use = "a stream does nothing unless it is read"]
pub struct EventStream<T> {
    queue: Arc<Queue<T>>,
    /// Callback that feeds it, which goes with it.
    _feeding: Option<ScopedCallback>,
}

impl<T> EventStream<T> {
    /// A stream, and the end that feeds it.
    pub(crate) fn new(bounds: Bounds) -> (Self, Feed<T>) {
        let inner = Inner {
            items: VecDeque::new(),
            bytes: 0,
            bounds,
            missed: 0,
            closed: false,
            waker: None,
        };
        let queue = Arc::new(Queue { inner: Mutex::new(inner) });
        let feed = Feed { queue: Arc::downgrade(&queue) };
        (Self { queue, _feeding: None }, feed)
    }

    /// Fed by a callback, which is removed when the stream is dropped.
    pub(crate) fn fed_by(self, callback: CallbackId) -> Self {
        Self { _feeding: Some(callback.scoped()), ..self }
    }

    /// Sets the number of events that wait for a slow reader, at most; at least one. By default 4096 of rows, and 256
    /// transactions.
    pub fn capacity(self, events: usize) -> Self {
        self.queue.lock().bounds.events = events.max(1);
        self
    }

    /// Sets the number of bytes of events that wait for a slow reader, at most, but for the newest event. By default
    /// [`Limits::max_stream_bytes`](crate::connection::Limits::max_stream_bytes).
    ///
    /// A row counts as its Rust type, and the size of its encoding where that has strings or lists. A transaction counts as
    /// the rows that it removed, which it keeps in memory; at most half of what
    /// [`Limits::max_dead_bytes`](crate::connection::Limits::max_dead_bytes) allows, so that a slow reader does not hold up applying.
    pub fn max_bytes(self, bytes: usize) -> Self {
        let mut inner = self.queue.lock();
        inner.bounds.bytes = bytes;
        drop(inner);
        self
    }

    /// The next event; `None` when there will be no more.
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost.
    pub async fn next(&mut self) -> Option<Result<T, Lagged>> {
        std::future::poll_fn(|cx| self.queue.poll(cx)).await
    }
}

impl<T> Stream for EventStream<T> {
    type Item = Result<T, Lagged>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.queue.poll(cx)
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.queue.lock();
        f.debug_struct("EventStream")
            .field("waiting", &inner.items.len())
            .field("waiting_bytes", &inner.bytes)
            .field("capacity", &inner.bounds.events)
            .finish_non_exhaustive()
    }
}

/// The end of a stream that is fed. Dropping it ends the stream.
pub(crate) struct Feed<T> {
    queue: Weak<Queue<T>>,
}

impl<T> Feed<T> {
    /// Adds an event that takes so many bytes beside its own size, and drops the oldest if there is no room.
    pub(crate) fn push(&self, item: T, bytes: usize) {
        let Some(queue) = self.queue.upgrade() else { return };
        let mut inner = queue.lock();
        let bytes = bytes.saturating_add(size_of::<T>());
        let mut dropped = Vec::new();
        while inner.is_full(bytes)
            && let Some(oldest) = inner.pop()
        {
            dropped.push(oldest);
            inner.missed += 1;
        }
        inner.items.push_back((item, bytes));
        inner.bytes += bytes;
        let waker = inner.waker.take();
        drop(inner);
        // Outside the lock: they may do anything when they are dropped.
        dropped.into_iter().for_each(|item| guard::drop_quietly(ITEM, item));
        waker.into_iter().for_each(guard::wake);
    }

    /// An event could not be fed: whoever reads the stream hears that it missed one.
    pub(crate) fn miss(&self) {
        let Some(queue) = self.queue.upgrade() else { return };
        let mut inner = queue.lock();
        inner.missed += 1;
        let waker = inner.waker.take();
        drop(inner);
        waker.into_iter().for_each(guard::wake);
    }
}

/// The name of panics of items.
const ITEM: &str = "stream item";

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        let Some(queue) = self.queue.upgrade() else { return };
        let mut inner = queue.lock();
        inner.closed = true;
        let waker = inner.waker.take();
        drop(inner);
        waker.into_iter().for_each(guard::wake);
    }
}

struct Queue<T> {
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    /// Events, each with its size.
    items: VecDeque<(T, usize)>,
    /// Size of all of them.
    bytes: usize,
    bounds: Bounds,
    /// Number of events dropped since the last item was read.
    missed: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl<T> Inner<T> {
    /// Returns `true` if there is no room for one more of so many bytes.
    fn is_full(&self, bytes: usize) -> bool {
        self.items.len() >= self.bounds.events
            || self.bytes.saturating_add(bytes) > self.bounds.bytes
    }

    fn pop(&mut self) -> Option<T> {
        let (item, bytes) = self.items.pop_front()?;
        self.bytes -= bytes;
        Some(item)
    }
}

/// Bytes that the strings and lists of a row take, for which the size of its encoding stands; nothing where all rows have one size.
pub(crate) fn row_bytes<R: Row>(row: &R) -> usize {
    if <R as Decode<'static>>::SIZE.is_some() {
        return 0;
    }
    let mut out = Writer::new();
    row.encode(&mut out);
    out.as_slice().len()
}

/// Items go one by one, whatever that does.
impl<T> Drop for Inner<T> {
    fn drop(&mut self) {
        while let Some((item, _)) = self.items.pop_front() {
            guard::drop_quietly(ITEM, item);
        }
    }
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        lock(&self.inner)
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<Result<T, Lagged>>> {
        let mut inner = self.lock();
        if inner.missed > 0 {
            return Poll::Ready(Some(Err(Lagged(std::mem::take(&mut inner.missed)))));
        }
        match inner.pop() {
            Some(item) => Poll::Ready(Some(Ok(item))),
            None if inner.closed => Poll::Ready(None),
            None => {
                inner.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream<T>(events: usize) -> (EventStream<T>, Feed<T>) {
        EventStream::new(Bounds { events, bytes: usize::MAX })
    }

    fn poll<T>(stream: &EventStream<T>) -> Poll<Option<Result<T, Lagged>>> {
        stream.queue.poll(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn full_stream_counts_missed_events() {
        let (stream, feed) = stream(2);
        (0..5).for_each(|n| feed.push(n, 0));
        assert_eq!(poll(&stream), Poll::Ready(Some(Err(Lagged(3)))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok(3))));
        feed.push(5, 0);
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok(4))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok(5))));
        assert_eq!(poll(&stream), Poll::Pending);
    }

    #[test]
    fn reduced_capacity_drops_oldest_on_next_event() {
        let (stream, feed) = stream(8);
        (0..5).for_each(|n| feed.push(n, 0));
        let stream = stream.capacity(2);
        feed.push(5, 0);
        assert_eq!(poll(&stream), Poll::Ready(Some(Err(Lagged(4)))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok(4))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok(5))));
    }

    #[test]
    fn stream_full_by_bytes_keeps_newest() {
        let item = size_of::<char>();
        let (stream, feed) = EventStream::new(Bounds { events: 100, bytes: 3 * (item + 10) });
        "abcd".chars().for_each(|c| feed.push(c, 10));
        assert_eq!(poll(&stream), Poll::Ready(Some(Err(Lagged(1)))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok('b'))));
        // Room for one, which is there all the same.
        let stream = stream.max_bytes(1);
        feed.push('e', 1000);
        assert_eq!(poll(&stream), Poll::Ready(Some(Err(Lagged(2)))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok('e'))));
        feed.push('f', usize::MAX);
        feed.push('g', 0);
        assert_eq!(poll(&stream), Poll::Ready(Some(Err(Lagged(1)))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok('g'))));
    }

    #[test]
    fn what_was_fed_is_read_before_the_end() {
        let (stream, feed) = stream(2);
        feed.push('a', 0);
        drop(feed);
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok('a'))));
        assert_eq!(poll(&stream), Poll::Ready(None));
    }

    #[test]
    fn dropped_stream_frees_events_and_takes_no_more() {
        let (stream, feed) = stream(2);
        let held = Arc::new(());
        feed.push(Arc::clone(&held), 0);
        drop(stream);
        feed.push(Arc::clone(&held), 0);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
