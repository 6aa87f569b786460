//! Bounded streams of events.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::event::Lagged;

/// Capacity of a stream where nothing else is said, in events.
pub(crate) const DEFAULT_CAPACITY: usize = 4096;

/// Events in the server's order. It ends when the connection is closed for good, and keeps nothing open.
///
/// It holds a bounded number of events. When it is full the oldest are dropped, and the next item says how many:
/// `Err(Lagged(n))`.
#[must_use = "a stream does nothing unless it is read"]
pub struct EventStream<T> {
    queue: Arc<Queue<T>>,
}

impl<T> EventStream<T> {
    /// A stream, and the end that feeds it.
    pub(crate) fn new(capacity: usize) -> (Self, Feed<T>) {
        let inner =
            Inner { items: VecDeque::new(), capacity, missed: 0, closed: false, waker: None };
        let queue = Arc::new(Queue { inner: Mutex::new(inner) });
        let feed = Feed { queue: Arc::downgrade(&queue) };
        (Self { queue }, feed)
    }

    /// Sets the number of events that wait for a slow reader, at most; at least one. By default 4096 of rows, and 256
    /// transactions.
    pub fn capacity(self, events: usize) -> Self {
        self.queue.lock().capacity = events.max(1);
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
            .field("capacity", &inner.capacity)
            .finish_non_exhaustive()
    }
}

/// The end of a stream that is fed. Dropping it ends the stream.
pub(crate) struct Feed<T> {
    queue: Weak<Queue<T>>,
}

impl<T> Feed<T> {
    /// Returns `true` while the stream is held.
    pub(crate) fn is_open(&self) -> bool {
        self.queue.strong_count() > 0
    }

    /// Adds an event, and drops the oldest if there is no room.
    pub(crate) fn push(&self, item: T) {
        let Some(queue) = self.queue.upgrade() else { return };
        let mut inner = queue.lock();
        let mut dropped = Vec::new();
        while inner.items.len() >= inner.capacity {
            dropped.extend(inner.items.pop_front());
            inner.missed += 1;
        }
        inner.items.push_back(item);
        let waker = inner.waker.take();
        drop(inner);
        // Outside the lock: they may do anything when they are dropped.
        drop(dropped);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        let Some(queue) = self.queue.upgrade() else { return };
        let mut inner = queue.lock();
        inner.closed = true;
        let waker = inner.waker.take();
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
    }
}

struct Queue<T> {
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    items: VecDeque<T>,
    /// Maximal number of events.
    capacity: usize,
    /// Number of events dropped since the last item was read.
    missed: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<Result<T, Lagged>>> {
        let mut inner = self.lock();
        if inner.missed > 0 {
            return Poll::Ready(Some(Err(Lagged(std::mem::take(&mut inner.missed)))));
        }
        match inner.items.pop_front() {
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

    fn poll<T>(stream: &EventStream<T>) -> Poll<Option<Result<T, Lagged>>> {
        stream.queue.poll(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn full_stream_counts_missed_events() {
        let (stream, feed) = EventStream::new(2);
        (0..5).for_each(|n| feed.push(n));
        assert_eq!(poll(&stream), Poll::Ready(Some(Err(Lagged(3)))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok(3))));
        feed.push(5);
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok(4))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok(5))));
        assert_eq!(poll(&stream), Poll::Pending);
    }

    #[test]
    fn reduced_capacity_drops_oldest_on_next_event() {
        let (stream, feed) = EventStream::new(8);
        (0..5).for_each(|n| feed.push(n));
        let stream = stream.capacity(2);
        feed.push(5);
        assert_eq!(poll(&stream), Poll::Ready(Some(Err(Lagged(4)))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok(4))));
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok(5))));
    }

    #[test]
    fn what_was_fed_is_read_before_the_end() {
        let (stream, feed) = EventStream::new(2);
        feed.push('a');
        drop(feed);
        assert_eq!(poll(&stream), Poll::Ready(Some(Ok('a'))));
        assert_eq!(poll(&stream), Poll::Ready(None));
    }

    #[test]
    fn a_feed_knows_that_nobody_reads() {
        let (stream, feed) = EventStream::new(2);
        assert!(feed.is_open());
        drop(stream);
        assert!(!feed.is_open());
        feed.push('a');
    }
}
