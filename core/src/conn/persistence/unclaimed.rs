//! Query sets of earlier runs that the program has not asked for again.

use std::time::{Duration, Instant};

use super::clock::Clock;
use crate::cache::SetId;
use crate::deadline::after;
use crate::types::Timestamp;

/// Sets whose rows an earlier run left, and which nobody has subscribed to in this one.
///
/// A set's age is counted over all runs, from the first that became ready without it: else a program that is started more often
/// than sets expire would keep every set that it ever had.
#[derive(Debug, Default)]
pub(super) struct Unclaimed(Vec<Set>);

#[derive(Debug)]
struct Set {
    queries: Vec<Box<str>>,
    rows: SetId,
    /// Time of day at which a run first was ready without it.
    since: Option<Timestamp>,
    /// Time at which it expires, once this run is ready.
    due: Option<Instant>,
}

impl Unclaimed {
    pub(super) fn add(&mut self, queries: Vec<Box<str>>, rows: SetId, since: Option<Timestamp>) {
        self.0.push(Set { queries, rows, since, due: None });
    }

    /// Takes the set that these queries asked for: its rows, and its queries if the journal has it as unclaimed.
    pub(super) fn claim(&mut self, queries: &[Box<str>]) -> Option<(SetId, Option<Vec<Box<str>>>)> {
        let at = self.0.iter().position(|set| set.queries == queries)?;
        let set = self.0.swap_remove(at);
        Some((set.rows, set.since.is_some().then_some(set.queries)))
    }

    /// The connection is ready: sets that nobody claims expire `grace` after that happened first. Returns those for which it is
    /// the first time, with their queries and that time.
    pub(super) fn start(
        &mut self,
        now: Instant,
        clock: Clock,
        grace: Duration,
    ) -> Vec<(SetId, Vec<Box<str>>, Timestamp)> {
        let wall = clock.wall(now);
        let mut marked = Vec::new();
        for set in self.0.iter_mut().filter(|set| set.due.is_none()) {
            let since = *set.since.get_or_insert_with(|| {
                marked.push((set.rows, set.queries.clone(), wall));
                wall
            });
            // A clock that was set back has no say.
            let passed = wall.duration_since(since).unwrap_or_default();
            set.due = after(now, grace.saturating_sub(passed));
        }
        marked
    }

    /// Time at which the next set expires.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.iter().filter_map(|set| set.due).min()
    }

    /// Takes the rows of sets that have expired.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<SetId> {
        let is_due = |set: &mut Set| set.due.is_some_and(|due| now >= due);
        self.0.extract_if(.., is_due).map(|set| set.rows).collect()
    }

    pub(super) fn contains(&self, rows: SetId) -> bool {
        self.0.iter().any(|set| set.rows == rows)
    }

    pub(super) fn remove(&mut self, rows: SetId) {
        self.0.retain(|set| set.rows != rows);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
