//! Code of the application that panicked: caught, kept until nothing runs any more, and told.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use lightlike_core::driver::Shared;
use lightlike_core::guard::{self, Panic, TRACING};

use crate::sync::lock;

/// An event for `tracing`, whose subscriber is the application's and may panic.
macro_rules! log {
    ($level:ident, $($event:tt)*) => {
        lightlike_core::guard::tell_tracing(|| tracing::$level!($($event)*))
    };
}
pub(crate) use log;

/// Code of the application that panicked where the client runs it, and was caught. A callback stays registered and runs the next
/// time. What else follows depends on the code: see [`Client::on_panic`](crate::Client::on_panic).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Panicked {
    /// Kind of code, or the method that registered it, such as `on_insert`, `row type` or `transport`.
    pub callback: &'static str,
    /// The table whose events it hears or whose rows it handles, if it is one table's.
    pub table: Option<&'static str>,
    /// Text of the panic; "no text" if it was no text.
    pub message: Box<str>,
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { callback, table, message } = self;
        match table {
            Some(table) => write!(f, "{callback} of the table `{table}` panicked: {message}"),
            None => write!(f, "{callback} panicked: {message}"),
        }
    }
}

/// Panics that were caught and are not told yet.
#[derive(Debug, Default)]
pub(crate) struct Panics {
    /// `true` if there are any, so that nothing is locked where there are none.
    any: AtomicBool,
    list: Mutex<Vec<Panicked>>,
    /// The machine, which has an event delivered for a panic that was caught outside of any.
    machine: OnceLock<Weak<Shared>>,
    /// The client was aborted: no callback is started any more, which would have to be told of.
    silenced: AtomicBool,
}

impl Panics {
    /// Lets panics be told of that are caught outside of any event.
    pub(crate) fn tell_by(&self, machine: &Arc<Shared>) {
        // There is one machine.
        let _ = self.machine.set(Arc::downgrade(machine));
    }

    /// Notes a panic of a callback, and logs it. It is told when the event is over that is being delivered.
    pub(crate) fn note(
        &self,
        callback: &'static str,
        table: Option<&'static str>,
        message: Box<str>,
    ) {
        // A subscriber that panics is not told of it: that would go on for ever.
        if callback != TRACING {
            log!(
                error,
                name: "lightlike.callback.panicked",
                callback,
                table,
                %message,
                "code of the application panicked"
            );
        }
        let panicked = Panicked { callback, table, message };
        lock(&self.list).push(panicked);
        self.any.store(true, Ordering::Relaxed);
    }

    /// As [`note`](Self::note), of a panic that the machine or its driver caught.
    pub(crate) fn tell(&self, panic: Panic) {
        let Panic { what, table, message, .. } = panic;
        self.note(what, table, message);
    }

    /// As [`note`](Self::note), wherever it was caught: it is told with an event of its own.
    pub(crate) fn tell_later(&self, panic: Panic) {
        let is_noted = self.machine.get().and_then(Weak::upgrade).is_some_and(|machine| {
            let note = || machine.command(|connection, _| connection.note_panic(panic.clone()));
            guard::catch(note).is_ok()
        });
        if !is_noted {
            self.tell(panic);
        }
    }

    /// No callback is started after this.
    pub(crate) fn silence(&self) {
        self.silenced.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_silenced(&self) -> bool {
        self.silenced.load(Ordering::SeqCst)
    }

    /// Takes those that are not told yet.
    pub(crate) fn take(&self) -> Vec<Panicked> {
        if !self.any.swap(false, Ordering::Relaxed) {
            return Vec::new();
        }
        std::mem::take(&mut *lock(&self.list))
    }
}
