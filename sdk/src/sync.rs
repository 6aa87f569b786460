//! Locks and one-shot channels, where code of the application may panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lightlike_core::guard;
use tokio::sync::oneshot;

/// Locks a mutex. A panic of another holder is none of ours: everything behind our locks is valid after each statement.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends a value to a receiver, whose waker may do anything. Returns the value if the receiver is gone.
pub(crate) fn send<T>(sender: oneshot::Sender<T>, value: T) -> Option<T> {
    match guard::catch(|| sender.send(value)) {
        Ok(sent) => sent.err(),
        Err(message) => {
            guard::note("waker", message);
            None
        }
    }
}
