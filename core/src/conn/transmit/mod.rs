//! Output of the machine for its driver: actions, and frames between them.

mod outbox;

use std::collections::VecDeque;

use self::outbox::Outbox;
use crate::conn::event::Action;
use crate::wire::{ClientMessage, Protocol, RequestId};

/// Actions and messages that the driver is to carry out and send.
#[derive(Debug, Default)]
pub(in crate::conn) struct Transmit {
    actions: VecDeque<Action>,
    outbox: Outbox,
}

impl Transmit {
    /// A number for one more request.
    pub(in crate::conn) fn request_id(&mut self) -> RequestId {
        self.outbox.request_id()
    }

    /// Sets the number of the next request.
    pub(in crate::conn) fn seed(&mut self, next: RequestId) {
        self.outbox.seed(next);
    }

    /// Queues a message, which must be within `max_outgoing_bytes`.
    pub(in crate::conn) fn send(&mut self, message: &ClientMessage, protocol: Protocol) {
        let sent = self.outbox.push(message, protocol);
        sent.expect(
            "what is sent is within `max_outgoing_bytes`, which is less than BSATN can count",
        );
    }

    /// Queues an action.
    pub(in crate::conn) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Lets go of the socket, in place of every action that is not carried out.
    pub(in crate::conn) fn abandon(&mut self) {
        self.forget_actions();
        self.act(Action::Abandon);
    }

    pub(in crate::conn) fn forget_actions(&mut self) {
        self.actions.clear();
    }

    /// Forgets the messages that are not sent: the socket is gone.
    pub(in crate::conn) fn forget_messages(&mut self) {
        self.outbox.clear();
    }

    /// The next thing for the driver to do; frames only if the socket is open. What was asked for before closing leaves
    /// before the close frame.
    pub(in crate::conn) fn next(&mut self, is_open: bool) -> Option<Action> {
        let comes_first = !matches!(self.actions.front(), None | Some(Action::Close));
        if !comes_first
            && is_open
            && let Some(frame) = self.outbox.pop()
        {
            return Some(Action::Send(frame));
        }
        self.actions.pop_front()
    }

    /// Returns `true` if there is nothing to do.
    pub(in crate::conn) fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.outbox.is_empty()
    }

    /// Number of actions, frames aside.
    pub(in crate::conn) fn actions(&self) -> usize {
        self.actions.len()
    }
}
