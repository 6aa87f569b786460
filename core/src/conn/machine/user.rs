//! Becoming another user.

use std::time::Instant;

use super::{Connection, State};
use crate::conn::{Action, CannotSwitch, Cause, ConnectionState, Event, NotSent, SetEnd};

impl Connection {
    /// Makes the connection another user's: the one that `token` stands for, or a new one if there is none.
    ///
    /// All that is here is the user's before, and goes at once: rows, in one transaction ([`Cause::UserChanged`]); calls,
    /// which end as [`Unknown`](crate::conn::Reply::Unknown) if they were sent, and as [`NotSent`](crate::conn::Reply::NotSent) if not;
    /// the socket. Query sets stay and are asked for anew, as if they had just been made.
    ///
    /// # Errors
    ///
    /// [`CannotSwitch`]: nothing has changed then.
    pub fn switch_user(
        &mut self,
        now: Instant,
        token: Option<Box<str>>,
    ) -> Result<(), CannotSwitch> {
        self.check_switch()?;
        self.set_clock(now);
        let was_started = !self.is_idle();
        self.actions.clear();
        self.forget_socket();
        self.abort_all();
        // What was said of sets before is not so any more.
        self.events.retain(|event| !matches!(event, Event::Applied(_) | Event::Stale { .. }));
        self.end_calls(&NotSent::UserChanged);
        self.revert_all(now);
        self.drop_users_rows();
        self.say(Event::UserChanged);
        self.credentials.switch_user(token);
        self.recovery.hasten();
        if was_started {
            self.actions.push_back(Action::Abandon);
            self.dial(now);
            self.announce(ConnectionState::Connecting);
        }
        Ok(())
    }

    fn check_switch(&self) -> Result<(), CannotSwitch> {
        if self.journal.is_some() {
            return Err(CannotSwitch::Offline);
        }
        match self.state {
            State::Closing { .. } | State::Closed(_) => Err(CannotSwitch::Closed),
            _ if self.finish.is_wanted() => Err(CannotSwitch::Closed),
            _ => Ok(()),
        }
    }

    /// Every set starts over without rows; those that were about to end have.
    fn drop_users_rows(&mut self) {
        let (names, ended) = self.subs.restart();
        let transaction = self.drop_now(&names);
        self.tell(transaction, Cause::UserChanged);
        for set in ended {
            self.say(Event::Ended { set, reason: SetEnd::Unsubscribed });
        }
    }
}
