//! Holding the machine: one thread at a time, and never twice by one.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::conn::Connection;

/// The machine behind its lock.
///
/// The lock's poison says nothing: whoever changes the machine catches what panics, and breaks it off where that left it
/// half-way. See [`Shared`](super::Shared).
#[derive(Debug)]
pub(super) struct Machine {
    /// To be passed on the way to the machine, so that whoever takes the machine again and again waits behind those
    /// who came meanwhile.
    gate: Mutex<()>,
    connection: Mutex<Connection>,
    /// The thread that has it.
    holder: AtomicUsize,
}

/// The machine, while this thread has it.
pub(super) struct Held<'a> {
    connection: MutexGuard<'a, Connection>,
    holder: &'a AtomicUsize,
}

/// No thread's name.
const NOBODY: usize = 0;

impl Machine {
    pub(super) fn new(connection: Connection) -> Self {
        let holder = AtomicUsize::new(NOBODY);
        Self { gate: Mutex::new(()), connection: Mutex::new(connection), holder }
    }

    /// Waits for the machine.
    ///
    /// # Panics
    ///
    /// If this thread has it already: code of the application that the machine runs (a row type, a mutator) has used the client.
    /// It would wait for itself; the machine catches this.
    pub(super) fn hold(&self) -> Held<'_> {
        let me = this_thread();
        // Only this thread writes its own name, so whatever else is seen here is of others.
        assert!(
            self.holder.load(Ordering::Relaxed) != me,
            "code that the client runs over its rows must not use the client"
        );
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.holder.store(me, Ordering::Relaxed);
        Held { connection, holder: &self.holder }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.holder.store(NOBODY, Ordering::Relaxed);
    }
}

impl Deref for Held<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// A number that no other thread has meanwhile.
fn this_thread() -> usize {
    std::thread_local! { static PLACE: u8 = const { 0 } }
    PLACE.with(|place| std::ptr::from_ref(place).addr())
}
