//! The latest value of something, and ways to wait for the next.

pub(crate) mod row;
pub(crate) mod table;
pub(crate) mod wait;

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use lightlike_core::guard::{self, Fenced};

use crate::sync::lock;

/// The latest value of something that changes. Values in between may be missed; the latest never is.
///
/// It is also a `Stream` of the values that come: the one that was there first is not among them, see
/// [`get`](Self::get). Clones are independent of each other. It keeps nothing open.
#[must_use = "a watch does nothing unless it is asked"]
pub struct Watch<T> {
    shared: Arc<Shared<T>>,
    /// The number of the value that was seen last.
    seen: u64,
    /// The place for this watch's waker, once it has waited.
    place: Option<usize>,
    /// Lets whoever feeds this know that nobody watches any more.
    guard: Option<Arc<dyn Any + Send + Sync>>,
}

/// The watched thing is gone: its value will not change any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was watched is gone")]
pub struct Gone;

/// The end of a watch where values come in.
pub(crate) struct Source<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    value: Held<T>,
    /// Number of times that the value was set.
    number: u64,
    ended: bool,
    wakers: Wakers,
}

/// Value that several hold. The last to let go of it drops it, whatever that does.
pub(crate) struct Held<T>(Arc<Fenced<T>>);

impl<T> Held<T> {
    fn new(value: T) -> Self {
        Self(Arc::new(Fenced::new("watched value", value)))
    }
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.get().expect("only dropping it takes a value out of a fence that is shared")
    }
}

/// Wakers of those that wait. A place belongs to one watch until that is dropped.
#[derive(Default)]
struct Wakers {
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// `true` if any place has a waker.
    any: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        lock(&self.inner)
    }
}

impl<T> Source<T> {
    pub(crate) fn new(value: T) -> Self {
        let value = Held::new(value);
        let inner = Inner { value, number: 0, ended: false, wakers: Wakers::default() };
        Self { shared: Arc::new(Shared { inner: Mutex::new(inner) }) }
    }

    /// The next value.
    pub(crate) fn set(&self, value: T) {
        self.set_quietly(value).into_iter().for_each(guard::wake);
    }

    /// The next value; the caller wakes who waits for it.
    #[must_use]
    pub(crate) fn set_quietly(&self, value: T) -> Vec<Waker> {
        let value = Held::new(value);
        let mut inner = self.shared.lock();
        inner.number += 1;
        let old = std::mem::replace(&mut inner.value, value);
        let wakers = inner.wakers.take();
        drop(inner);
        // Outside the lock: it may do anything when it is dropped.
        drop(old);
        wakers
    }

    /// As [`set`](Self::set) with the value that there is.
    pub(crate) fn touch(&self) {
        let mut inner = self.shared.lock();
        inner.number += 1;
        let wakers = inner.wakers.take();
        drop(inner);
        wakers.into_iter().for_each(guard::wake);
    }

    /// There will be no other value.
    pub(crate) fn end(&self) {
        let mut inner = self.shared.lock();
        inner.ended = true;
        let wakers = inner.wakers.take();
        drop(inner);
        wakers.into_iter().for_each(guard::wake);
    }

    /// The latest value.
    pub(crate) fn borrow(&self) -> Held<T> {
        self.shared.lock().value.clone()
    }

    /// A watch that has seen the latest value.
    pub(crate) fn subscribe(&self) -> Watch<T> {
        let seen = self.shared.lock().number;
        Watch { shared: Arc::clone(&self.shared), seen, place: None, guard: None }
    }
}

impl<T> Drop for Source<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> Watch<T> {
    /// The same, with something that is dropped when the last clone is.
    pub(crate) fn guarded(self, guard: Arc<dyn Any + Send + Sync>) -> Self {
        Self { guard: Some(guard), shared: Arc::clone(&self.shared), seen: self.seen, place: None }
    }

    /// The latest value.
    pub fn borrow(&self) -> impl Deref<Target = T> + use<T> {
        self.shared.lock().value.clone()
    }

    /// Waits until the value was set since it was last seen: since this watch was made, or this, [`next`](Self::next) or
    /// [`wait_for`](Self::wait_for) returned.
    ///
    /// # Errors
    ///
    /// [`Gone`] if there will be no other.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn changed(&mut self) -> Result<(), Gone> {
        std::future::poll_fn(|cx| self.poll_changed(cx)).await
    }

    pub(crate) fn poll_changed(&mut self, cx: &Context<'_>) -> Poll<Result<(), Gone>> {
        let mut inner = self.shared.lock();
        if inner.number != self.seen {
            self.seen = inner.number;
            return Poll::Ready(Ok(()));
        }
        if inner.ended {
            return Poll::Ready(Err(Gone));
        }
        inner.wakers.wait(&mut self.place, cx.waker());
        Poll::Pending
    }
}

impl<T: Clone> Watch<T> {
    /// A copy of the latest value.
    pub fn get(&self) -> T {
        T::clone(&self.borrow())
    }

    /// Waits as [`changed`](Self::changed) does, and returns the latest value then; `None` if there will be no other.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn next(&mut self) -> Option<T> {
        self.changed().await.ok().map(|()| self.get())
    }

    /// Waits until `predicate` holds of the value, which may be at once, and returns it.
    ///
    /// # Errors
    ///
    /// [`Gone`] if it never will.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn wait_for(&mut self, mut predicate: impl FnMut(&T) -> bool) -> Result<T, Gone> {
        loop {
            let (number, value) = {
                let inner = self.shared.lock();
                (inner.number, inner.value.clone())
            };
            self.seen = number;
            if predicate(&value) {
                return Ok(T::clone(&value));
            }
            self.changed().await?;
        }
    }
}

impl<T: Clone> Watch<Option<T>> {
    /// Waits until there is a value, which may be at once, and returns it.
    ///
    /// # Errors
    ///
    /// [`Gone`] if there never will be one.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn first_some(&mut self) -> Result<T, Gone> {
        self.wait_for(Option::is_some).await?.ok_or(Gone)
    }
}

impl<T: Clone> Stream for Watch<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_changed(cx).map(|changed| changed.ok().map(|()| self.get()))
    }
}

impl<T> Clone for Watch<T> {
    fn clone(&self) -> Self {
        let (shared, guard) = (Arc::clone(&self.shared), self.guard.clone());
        Self { shared, seen: self.seen, place: None, guard }
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let waker = self.shared.lock().wakers.leave(place);
            // Outside the lock: it may do anything when it is dropped.
            guard::drop_quietly("waker", waker);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&*self.borrow()).finish()
    }
}

impl Wakers {
    /// Puts a watch's waker into its place.
    fn wait(&mut self, place: &mut Option<usize>, waker: &Waker) {
        let at = *place.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.places.push(None);
                self.places.len() - 1
            })
        });
        if let Some(place) = self.places.get_mut(at) {
            match place {
                Some(held) => held.clone_from(waker),
                None => *place = Some(waker.clone()),
            }
        }
        self.any = true;
    }

    /// Takes all wakers out. Places stay with their watches.
    fn take(&mut self) -> Vec<Waker> {
        if !std::mem::take(&mut self.any) {
            return Vec::new();
        }
        self.places.iter_mut().filter_map(Option::take).collect()
    }

    /// A watch is dropped.
    fn leave(&mut self, place: usize) -> Option<Waker> {
        self.free.push(place);
        self.places.get_mut(place).and_then(Option::take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll<T>(watch: &mut Watch<T>) -> Poll<Result<(), Gone>> {
        watch.poll_changed(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn first_value_is_seen_and_intermediates_skipped() {
        let source = Source::new(1);
        let mut watch = source.subscribe();
        assert_eq!(watch.get(), 1);
        assert!(poll(&mut watch).is_pending());
        source.set(2);
        source.set(3);
        assert_eq!(poll(&mut watch), Poll::Ready(Ok(())));
        assert_eq!(watch.get(), 3);
        assert!(poll(&mut watch).is_pending());
    }

    #[test]
    fn the_last_value_is_seen_before_the_end() {
        let source = Source::new(1);
        let mut watch = source.subscribe();
        source.set(2);
        drop(source);
        assert_eq!(poll(&mut watch), Poll::Ready(Ok(())));
        assert_eq!(poll(&mut watch), Poll::Ready(Err(Gone)));
        assert_eq!(watch.get(), 2);
    }

    #[test]
    fn clones_are_independent() {
        let source = Source::new(1);
        let mut first = source.subscribe();
        source.set(2);
        let mut second = first.clone();
        assert_eq!(poll(&mut first), Poll::Ready(Ok(())));
        assert_eq!(poll(&mut second), Poll::Ready(Ok(())));
    }

    #[test]
    fn dropped_watch_frees_its_place() {
        let source = Source::new(());
        for _ in 0..100 {
            let mut watch = source.subscribe();
            assert!(poll(&mut watch).is_pending());
        }
        assert_eq!(source.shared.lock().wakers.places.len(), 1);
    }
}
