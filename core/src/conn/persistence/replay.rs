//! Sending calls: those that the disk must know of first, those that may have run, and what a lost socket leaves.

use super::{Queued, Replay};
use crate::calls::{Gate, Sent, Waiting};
use crate::conn::apply::messages::excerpt;
use crate::conn::{Connection, Event, Lost, NotSent, Reply, WhileDisconnected};
use crate::guard::log;
use crate::journal::{Delivery, EntryState, Op, QueuedState};
use crate::types::Uuid;
use crate::wire::{QueryRows, Text};

impl Connection {
    /// Returns `true` if a call that is made now leaves before this returns, unless it must be noted first.
    pub(in crate::conn) fn sends_at_once(&self) -> bool {
        self.ready
            && !self.calls.has_waiting()
            && !self.calls.has_suspects_in_flight()
            && self.calls.in_flight() < self.config.limits.max_calls_in_flight
            && !self.is_asking()
    }

    fn is_asking(&self) -> bool {
        self.offline.as_ref().is_some_and(|offline| offline.asking)
    }

    /// Sends the calls that wait, in their order, as many as may be unanswered at once.
    pub(in crate::conn) fn send_calls(&mut self) {
        if !self.ready || self.is_asking() {
            return;
        }
        while self.calls.in_flight() < self.config.limits.max_calls_in_flight
            && !self.first_waits_for_ids()
            && let Some(gate) = self.calls.first().map(Waiting::gate)
        {
            if gate != Gate::Probing && !self.calls.may_send_first() {
                return;
            }
            match gate {
                Gate::Open => self.send_first(),
                Gate::Marking(ticket) if self.is_stored(ticket) => self.send_first(),
                Gate::Marking(_) | Gate::Probing => return,
                Gate::Unmarked => return self.mark_sent(),
                Gate::Unprobed => {
                    let request_id = self.request_id();
                    if let Some(message) = self.calls.probe(request_id) {
                        self.send(&message);
                    }
                    return;
                }
            }
        }
    }

    fn send_first(&mut self) {
        let seq = self.calls.first().and_then(Waiting::seq);
        if let Some(seq) = seq
            && let Some(offline) = &mut self.offline
            && let Some(queued) = offline.queue.get_mut(&seq)
        {
            queued.state = QueuedState::Sent;
        }
        let request_id = self.request_id();
        if let Some(message) = self.calls.send(request_id) {
            self.send(&message);
            self.calls.keep_args(message);
        }
    }

    fn is_stored(&self, ticket: u64) -> bool {
        self.offline.as_ref().is_none_or(|offline| offline.is_stored(ticket))
    }

    /// Notes on disk that the next calls are sent; they are when that is written.
    fn mark_sent(&mut self) {
        let Some(offline) = &mut self.offline else { return };
        let ticket = offline.ticket;
        let window = offline.config.sent_window.max(1);
        for keep in self.calls.next_unmarked(window) {
            keep.gate = Gate::Marking(ticket);
            if let Some(queued) = keep.seq.and_then(|seq| offline.queue.get_mut(&seq)) {
                queued.entry.state = EntryState::Sent;
                let entry = Box::new(queued.entry.clone());
                offline.write_urgently(Op::Entry(entry));
            }
        }
    }

    /// The probe of the first call is answered.
    pub(in crate::conn) fn probed(&mut self, result: Result<QueryRows, Text>) {
        let Some(call) = self.calls.first().map(|first| first.call) else { return };
        let landed = match result {
            Ok(rows) => rows.tables.iter().any(|table| !table.rows.is_empty()),
            Err(why) => {
                // It cannot be found out, so nobody knows.
                let why = excerpt(&why);
                log!(warn, %why, "the server refused a call's probe");
                let _ = self.calls.take_waiting(call);
                self.answer(call, Reply::Unknown);
                return self.send_calls();
            }
        };
        if landed {
            let _ = self.calls.take_waiting(call);
            let timestamp = crate::types::Timestamp::UNIX_EPOCH;
            self.answer(call, Reply::Committed { returned: bytes::Bytes::new(), timestamp });
        } else if let Some(keep) = self.calls.first_kept() {
            // On disk it is marked as sent, and asked about again after a crash: that it need not be marked.
            keep.gate = Gate::Open;
            self.hold_misfits();
        }
        self.send_calls();
    }

    /// The connection is ready: sends what waits, or asks the application first.
    pub(in crate::conn) fn start_replay(&mut self) {
        self.put_unchecked_aside();
        if let Some(offline) = &mut self.offline
            && offline.config.asks_before_replay
        {
            let calls: Vec<_> = (offline.queue.values())
                .filter(|queued| queued.state == QueuedState::Queued)
                .map(Queued::shown)
                .collect();
            offline.asking = !calls.is_empty();
            if offline.asking {
                return self.events.push_back(Event::BeforeReplay(calls));
            }
        }
        self.send_calls();
    }

    /// Takes the decisions on the calls of [`Event::BeforeReplay`]; those that are not named are sent. A call that may
    /// have run already is not dropped.
    pub fn replay(&mut self, verdicts: &[(Uuid, Replay)]) {
        let Some(offline) = &mut self.offline else { return };
        offline.asking = false;
        for (id, verdict) in verdicts {
            let Some(offline) = &self.offline else { return };
            let queued = offline.queue.values().find(|queued| queued.entry.id == *id);
            let Some(call) = queued.map(|queued| queued.call) else { continue };
            let unsent = |waiting: &Waiting| waiting.call == call && waiting.attempts() == 0;
            if *verdict == Replay::Drop && self.calls.any_waiting(unsent) {
                let _ = self.calls.take_waiting(call);
                self.answer(call, Reply::Dropped);
            }
        }
        self.send_calls();
    }
}

/// A lost socket.
impl Connection {
    /// The socket is gone, and another one is hoped for: calls that may run twice are to be sent again, those that wait
    /// go on doing so if they are to, and the others are answered. `only_calls`: the server had nothing else to answer.
    pub(in crate::conn) fn let_go_of_calls(&mut self, lost: &Lost, only_calls: bool) {
        if let Some(offline) = &mut self.offline {
            offline.asking = false;
            offline.live.forget();
        }
        // Calls were held back because of others that may end the connection: they need not pay for it when one does.
        let held_back = self.calls.has_suspects_in_flight();
        if only_calls {
            self.blame_one_alone(lost);
        }
        let mut again = Vec::new();
        for Sent { call, kept } in self.calls.drain_sent() {
            match kept {
                Some(waiting) if waiting.may_go_again() => again.push(waiting),
                _ => self.answer(call, Reply::Unknown),
            }
        }
        self.unmark();
        again.iter_mut().for_each(|waiting| self.sent_in_vain(waiting));
        let policy = self.config.while_disconnected;
        let policy_of = |waiting: &Waiting| {
            waiting.keep.as_ref().and_then(|keep| keep.policy).unwrap_or(policy)
        };
        let out = self.calls.take_all_waiting(|waiting| {
            let stays = match policy_of(waiting) {
                WhileDisconnected::Wait => true,
                WhileDisconnected::Fail => held_back,
                WhileDisconnected::Drop => false,
            };
            waiting.attempts() == 0 && waiting.seq().is_none() && !stays
        });
        self.calls.put_back(again);
        for waiting in out {
            let reply = match policy_of(&waiting) {
                WhileDisconnected::Drop => Reply::Dropped,
                _ => Reply::NotSent(NotSent::Lost(lost.clone())),
            };
            self.answer(waiting.call, reply);
        }
        self.abandon_calls(lost);
        self.forget_lost_owners();
    }

    /// The connection ended: if one call alone was not answered, it may be why.
    fn blame_one_alone(&mut self, lost: &Lost) {
        let Some(keep) = self.calls.alone_in_flight() else { return };
        keep.is_suspect = true;
        keep.blame = keep.blame.saturating_add(lost.blame());
        if let Some(offline) = &mut self.offline
            && let Some(queued) = keep.seq.and_then(|seq| offline.queue.get_mut(&seq))
        {
            queued.entry.blame = keep.blame;
            let entry = Box::new(queued.entry.clone());
            offline.write(Op::Entry(entry));
        }
    }

    /// The connection ended before the answer to a call that is sent again.
    fn sent_in_vain(&mut self, waiting: &mut Waiting) {
        let Some(keep) = &mut waiting.keep else { return };
        keep.is_suspect = true;
        keep.attempts = keep.attempts.saturating_add(1);
        keep.gate = match keep.delivery {
            Delivery::Probe(_) => Gate::Unprobed,
            Delivery::AtMostOnce | Delivery::AtLeastOnce => Gate::Open,
        };
        if let Some(offline) = &mut self.offline
            && let Some(queued) = keep.seq.and_then(|seq| offline.queue.get_mut(&seq))
        {
            queued.entry.attempts = keep.attempts;
            queued.state = QueuedState::Queued;
            let entry = Box::new(queued.entry.clone());
            offline.write(Op::Entry(entry));
        }
    }

    /// Gives up the calls because of which connections ended often enough.
    fn abandon_calls(&mut self, lost: &Lost) {
        let limit = self.config.limits.max_call_losses.saturating_mul(2);
        let is_over = |waiting: &Waiting| {
            waiting.keep.as_ref().is_some_and(|keep| keep.blame as usize >= limit)
        };
        for waiting in self.calls.take_all_waiting(is_over) {
            // A probe is sent in the call's place.
            let sent = waiting.attempts().max(1);
            log!(warn, call = ?waiting.call, sent, %lost, "a call ends the connection each time, and is given up");
            self.answer(waiting.call, Reply::Abandoned { sent, reason: lost.clone() });
        }
    }

    /// The connection is closed: every call is answered, and those in the journal stay there for the next run.
    pub(in crate::conn) fn end_calls(&mut self, not_sent: &NotSent) {
        self.unmark();
        let (sent, waiting) = self.calls.drain();
        for Sent { call, kept } in sent {
            let stays = kept.is_some_and(|call| call.seq().is_some() && call.may_go_again());
            self.answer(call, if stays { Reply::Kept } else { Reply::Unknown });
        }
        for waiting in waiting {
            let reply = match (waiting.seq(), waiting.attempts()) {
                (Some(_), _) => Reply::Kept,
                (None, 0) => Reply::NotSent(not_sent.clone()),
                (None, _) => Reply::Unknown,
            };
            self.answer(waiting.call, reply);
        }
    }

    /// Calls that were to be sent when that was noted were not, and a probe will not be answered.
    fn unmark(&mut self) {
        for keep in self.calls.kept_mut() {
            match keep.gate {
                Gate::Probing => keep.gate = Gate::Unprobed,
                Gate::Marking(_) => {
                    keep.gate = Gate::Unmarked;
                    if let Some(offline) = &mut self.offline
                        && let Some(queued) = keep.seq.and_then(|seq| offline.queue.get_mut(&seq))
                    {
                        queued.entry.state = EntryState::Queued;
                        let entry = Box::new(queued.entry.clone());
                        offline.write_urgently(Op::Entry(entry));
                    }
                }
                Gate::Open | Gate::Unmarked | Gate::Unprobed => (),
            }
        }
    }
}
