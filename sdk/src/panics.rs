//! Callbacks that panicked: caught, kept until nothing runs any more, and told.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// A callback that panicked. Nothing else was harmed: it stays registered and runs the next time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Panicked {
    /// Method that the callback was registered with, such as `on_insert`.
    pub callback: &'static str,
    /// The table whose events it hears, if it is one table's.
    pub table: Option<&'static str>,
    /// Text of the panic; "no text" if it was no text.
    pub message: Box<str>,
}

/// Panics that were caught and are not told yet.
#[derive(Debug, Default)]
pub(crate) struct Panics {
    /// `true` if there are any, so that nothing is locked where there are none.
    any: AtomicBool,
    list: Mutex<Vec<Panicked>>,
}

impl Panics {
    /// Notes a panic, and logs it.
    pub(crate) fn note(
        &self,
        callback: &'static str,
        table: Option<&'static str>,
        panic: &(dyn Any + Send),
    ) {
        let message = panic_text(panic);
        tracing::error!(
            name: "lightlike.callback.panicked",
            callback,
            table,
            message,
            "a callback panicked"
        );
        let panicked = Panicked { callback, table, message: message.into() };
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(panicked);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Takes those that are not told yet.
    pub(crate) fn take(&self) -> Vec<Panicked> {
        if !self.any.swap(false, Ordering::Relaxed) {
            return Vec::new();
        }
        std::mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
