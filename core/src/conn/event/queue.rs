//! Events that wait for the application.

use std::collections::VecDeque;

use super::Event;
use crate::conn::lifecycle::state::ConnectionState;

/// Events in the order in which the application is to hear of them.
#[derive(Debug, Default)]
pub(in crate::conn) struct EventQueue(VecDeque<Event>);

impl EventQueue {
    pub(in crate::conn) fn push(&mut self, event: Event) {
        self.0.push_back(event);
    }

    /// Adds a state of the connection.
    ///
    /// An attempt that failed after one that was not delivered replaces it: there may be any number before the next tick.
    pub(in crate::conn) fn announce(&mut self, state: ConnectionState) {
        if let ConnectionState::Reconnecting { .. } = state
            && let Some(Event::State(last @ ConnectionState::Reconnecting { .. })) =
                self.0.back_mut()
        {
            *last = state;
            return;
        }
        self.0.push_back(Event::State(state));
    }

    /// Takes back what was said of sets and is not so any more.
    pub(in crate::conn) fn retract_sets(&mut self) {
        self.0.retain(|event| !matches!(event, Event::Applied(_) | Event::Stale { .. }));
    }

    pub(in crate::conn) fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }

    pub(in crate::conn) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::conn) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Extend<Event> for EventQueue {
    fn extend<I: IntoIterator<Item = Event>>(&mut self, events: I) {
        self.0.extend(events);
    }
}
