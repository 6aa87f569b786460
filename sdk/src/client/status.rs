//! State of the connection and progress of what arrives, as handles see them.

use std::sync::atomic::{AtomicBool, Ordering};

use lightlike_core::conn::{ConnectionState, Receiving};

use crate::error::Repr;
use crate::events::watches::{Held, Source, Watch};

/// Watches of the connection's state and of what arrives.
pub(crate) struct Status {
    state: Source<ConnectionState>,
    receiving: Source<Receiving>,
    /// Readiness for reads, which are many; the same as `state`.
    is_ready: AtomicBool,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            state: Source::new(ConnectionState::Idle),
            receiving: Source::new(Receiving::default()),
            is_ready: AtomicBool::new(false),
        }
    }
}

impl Status {
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }

    /// State at this moment.
    pub(crate) fn now(&self) -> Held<ConnectionState> {
        self.state.borrow()
    }

    pub(crate) fn state(&self) -> Watch<ConnectionState> {
        self.state.subscribe()
    }

    pub(crate) fn receiving(&self) -> Watch<Receiving> {
        self.receiving.subscribe()
    }

    pub(crate) fn set(&self, state: ConnectionState) {
        self.is_ready.store(matches!(state, ConnectionState::Ready), Ordering::Relaxed);
        self.state.set(state);
    }

    pub(crate) fn received(&self, receiving: Receiving) {
        self.receiving.set(receiving);
    }

    /// Ends both watches: the connection is closed for good.
    pub(crate) fn end(&self) {
        self.state.end();
        self.receiving.end();
    }

    /// Reason for which nothing more will come.
    pub(crate) fn closed(&self) -> Repr {
        match &*self.now() {
            ConnectionState::Closed(reason) => reason.clone().into(),
            _ => Repr::Closed,
        }
    }
}
