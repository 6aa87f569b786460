//! Running code of the application: a panic in it is caught, named and told, and ends nothing else.
//!
//! Row types, closures, wakers, stores and transports are handed in by the application and run in the middle of the client's
//! work. Whoever calls such code calls it through [`catch`], and decides what the panic means: the code may have left
//! anything that it was lent half-way, so nothing of that may be used again, or it must be known to be whole. What drops
//! values of the application's drops them through [`Fenced`] or `FencedRows`, because a panic that leaves a destructor takes the
//! caller along, and two at once end the process.
//!
//! Where a program is built with `panic = "abort"` none of this runs: a panic ends the process.

use core::any::{Any, type_name};
use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;
use core::mem::needs_drop;
use core::ops::{Deref, DerefMut};
use core::task::{Poll, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Code of the application that panicked where the client runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Panic {
    /// The kind of code: `row type`, `transport`, `before_replay`.
    pub what: &'static str,
    /// The name of the table whose rows it handled, if it was one table's.
    pub table: Option<&'static str>,
    /// The text of the panic; "no text" if it had none.
    pub message: Box<str>,
}

impl Panic {
    /// A panic of code that belongs to no table.
    pub fn new(what: &'static str, message: impl Into<Box<str>>) -> Self {
        Self { what, table: None, message: message.into() }
    }

    /// The same, of code that handled rows of this table.
    #[must_use]
    pub fn of_table(self, table: Option<&'static str>) -> Self {
        Self { table, ..self }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table {
            Some(table) => {
                write!(f, "{} of the table `{table}` panicked: {}", self.what, self.message)
            }
            None => write!(f, "{} panicked: {}", self.what, self.message),
        }
    }
}

impl std::error::Error for Panic {}

/// Runs code of the application. What it was lent may be half-way after a panic: the caller answers for that.
///
/// # Errors
///
/// The text of the panic.
pub fn catch<T>(run: impl FnOnce() -> T) -> Result<T, Box<str>> {
    catch_unwind(AssertUnwindSafe(run)).map_err(take_text)
}

/// Runs code of the application whose failure changes nothing for the client: a waker, an event for `tracing`. A panic is
/// [noted](note); whether there was none.
pub fn quietly(what: &'static str, run: impl FnOnce()) -> bool {
    match catch(run) {
        Ok(()) => true,
        Err(message) => {
            note(what, message);
            false
        }
    }
}

/// An event for `tracing`, whose subscriber is the application's and may panic.
macro_rules! log {
    ($level:ident, $($event:tt)*) => {
        $crate::guard::tell_tracing(|| tracing::$level!($($event)*))
    };
}
pub(crate) use log;

/// The name of panics of subscribers of `tracing`.
pub const TRACING: &str = "tracing";

/// Tells the subscriber of `tracing` something.
pub fn tell_tracing(event: impl FnOnce()) {
    quietly(TRACING, event);
}

/// Wakes a task of the application's executor, which may do anything.
pub fn wake(waker: Waker) {
    quietly("waker", || waker.wake());
}

/// Drops a value of the application's. A panic is [noted](note).
pub fn drop_quietly<T>(what: &'static str, value: T) {
    drop(Fenced::new(what, value));
}

/// Waits for a future of the application's, as [`catch`] runs code. After a panic it is not polled again.
///
/// # Errors
///
/// The text of the panic.
///
/// # Cancel safety
///
/// That of the future.
pub async fn catch_future<F: Future>(what: &'static str, future: F) -> Result<F::Output, Box<str>> {
    let mut future = Fenced::new(what, Box::pin(future));
    poll_fn(|cx| {
        let Some(future) = future.get_mut() else { return Poll::Pending };
        match catch(|| future.as_mut().poll(cx)) {
            Ok(polled) => polled.map(Ok),
            Err(message) => Poll::Ready(Err(message)),
        }
    })
    .await
}

/// The text of a panic; "no text" if it is none.
pub fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

/// The text of a panic, whose payload is not dropped where that could panic in turn.
pub(crate) fn take_text(payload: Box<dyn Any + Send>) -> Box<str> {
    let text = panic_text(&*payload).into();
    if !payload.is::<&str>() && !payload.is::<String>() {
        core::mem::forget(payload);
    }
    text
}

/// A value of the application's whose `Drop` may panic: that is caught, and [noted](note).
pub struct Fenced<T> {
    what: &'static str,
    value: Option<T>,
}

impl<T> Fenced<T> {
    /// Puts a fence around a value; `what` names it, should it panic.
    pub const fn new(what: &'static str, value: T) -> Self {
        Self { what, value: Some(value) }
    }

    /// The value.
    pub fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// The value, to change.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.as_mut()
    }

    /// Takes the value out of the fence.
    pub fn into_inner(mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T> Drop for Fenced<T> {
    fn drop(&mut self) {
        if needs_drop::<T>() && self.value.is_some() {
            let dropped = catch(|| self.value = None);
            note_failed_drop::<T>(self.what, dropped);
        }
    }
}

impl<T> fmt::Debug for Fenced<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fenced").field("what", &self.what).finish_non_exhaustive()
    }
}

/// Rows that are dropped one by one, so that the panic of one does not meet that of another.
#[derive(Debug)]
pub(crate) struct FencedRows<R>(Vec<R>);

impl<R> FencedRows<R> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self(Vec::with_capacity(rows))
    }
}

impl<R> Deref for FencedRows<R> {
    type Target = Vec<R>;

    fn deref(&self) -> &Vec<R> {
        &self.0
    }
}

impl<R> DerefMut for FencedRows<R> {
    fn deref_mut(&mut self) -> &mut Vec<R> {
        &mut self.0
    }
}

impl<R> Drop for FencedRows<R> {
    fn drop(&mut self) {
        while needs_drop::<R>() && !self.0.is_empty() {
            // The row is out of the list before it is dropped: a panic goes on behind it.
            let dropped = catch(|| {
                while let Some(last) = self.0.len().checked_sub(1) {
                    self.0.truncate(last);
                }
            });
            note_failed_drop::<R>(ROW_TYPE, dropped);
        }
    }
}

/// The name of panics of rows' code.
pub(crate) const ROW_TYPE: &str = "row type";

/// A panic that was caught where nothing followed from it.
#[derive(Debug)]
pub struct Noted {
    /// The code that panicked.
    pub what: &'static str,
    /// The name of the type that did when it was dropped.
    pub(crate) of: Option<&'static str>,
    /// The text of the panic.
    pub message: Box<str>,
}

impl From<Noted> for Panic {
    fn from(noted: Noted) -> Self {
        Self::new(noted.what, noted.message)
    }
}

/// The number of panics that are collected at once. Each may be one of a million rows.
const COLLECTED_MAX: usize = 16;

std::thread_local! {
    static COLLECTED: RefCell<Option<Vec<Noted>>> = const { RefCell::new(None) };
}

/// Collects what is [noted](note) on this thread, from its making until [`finish`](Self::finish). Whoever can tell the
/// application of it does so.
#[derive(Debug)]
#[must_use]
pub struct Collector {
    outer: Option<Vec<Noted>>,
}

impl Collector {
    /// Starts to collect. What is collected already goes on when this is finished.
    pub fn start() -> Self {
        Self { outer: COLLECTED.replace(Some(Vec::new())) }
    }

    /// The panics that were noted, or the first of many.
    pub fn finish(self) -> Vec<Noted> {
        COLLECTED.take().unwrap_or_default()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        COLLECTED.set(self.outer.take());
    }
}

/// Notes a panic that was caught, for whoever [collects](Collector) on this thread. If nobody does, `tracing` is told.
pub fn note(what: &'static str, message: Box<str>) {
    note_one(Noted { what, of: None, message });
}

/// Notes what a drop came to.
pub(crate) fn note_failed_drop<T>(what: &'static str, dropped: Result<(), Box<str>>) {
    if let Err(message) = dropped {
        note_one(Noted { what, of: Some(type_name::<T>()), message });
    }
}

fn note_one(noted: Noted) {
    let left = COLLECTED.with_borrow_mut(|collected| match collected {
        Some(list) => {
            if list.len() < COLLECTED_MAX {
                list.push(noted);
            }
            None
        }
        None => Some(noted),
    });
    if let Some(Noted { what, of, message }) = left
        && what != TRACING
    {
        log!(error, what, of, %message, "code of the application panicked");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Panics when it is dropped, and counts.
    struct Grenade<'a>(&'a AtomicUsize);

    impl Drop for Grenade<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("dropped");
        }
    }

    /// A payload that panics when it is dropped.
    struct Payload;

    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("the payload too");
        }
    }

    #[test]
    fn panic_is_caught_with_its_text() {
        assert_eq!(catch(|| 7), Ok(7));
        assert_eq!(catch(|| panic!("number {}", 7)), Err::<(), _>("number 7".into()));
        assert_eq!(catch(|| panic!("plain")), Err::<(), _>("plain".into()));
        assert_eq!(catch(|| std::panic::panic_any(7)), Err::<(), _>("no text".into()));
    }

    #[test]
    fn payload_that_panics_in_turn_is_kept() {
        assert_eq!(catch(|| std::panic::panic_any(Payload)), Err::<(), _>("no text".into()));
    }

    #[test]
    fn every_row_is_dropped_though_each_panics() {
        let dropped = AtomicUsize::new(0);
        let mut rows = FencedRows::new();
        (0..100).for_each(|_| rows.push(Grenade(&dropped)));
        let collector = Collector::start();
        drop(rows);
        let failed = collector.finish();
        assert_eq!(dropped.load(Ordering::Relaxed), 100);
        assert_eq!(
            (failed.len(), failed[0].what, &*failed[0].message),
            (16, "row type", "dropped")
        );
        assert!(failed[0].of.is_some_and(|of| of.contains("Grenade")));
    }

    #[test]
    fn fenced_value_does_not_take_the_caller_along() {
        let dropped = AtomicUsize::new(0);
        drop_quietly("capture", Grenade(&dropped));
        let kept = Fenced::new("capture", Grenade(&dropped)).into_inner();
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
        let unwinding = catch(|| {
            let _held = Fenced::new("capture", kept);
            panic!("first");
        });
        assert_eq!((unwinding, dropped.load(Ordering::Relaxed)), (Err::<(), _>("first".into()), 2));
    }
}
