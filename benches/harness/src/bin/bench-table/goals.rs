//! Goals of the benchmark, in one place; medians are compared.

use std::fmt;

use crate::OURS;
use crate::numbers::{Numbers, short};

pub(crate) struct Goal {
    case: &'static str,
    /// The size that it is of, where the number grows with it.
    n: Option<u64>,
    bound: Bound,
}

enum Bound {
    AtMost(f64),
    /// As much as the floor of the same run, and this.
    FloorAnd(f64),
    /// At least the least of the floor's runs.
    InFloorsSpread,
}

const fn at_most(case: &'static str, limit: f64) -> Goal {
    Goal { case, n: None, bound: Bound::AtMost(limit) }
}

const fn of_size(case: &'static str, n: u64, bound: Bound) -> Goal {
    Goal { case, n: Some(n), bound }
}

pub(crate) const GOALS: [Goal; 21] = [
    of_size("subscribe.entity.none.cpu", 1_000_000, Bound::AtMost(0.27)),
    of_size("subscribe.entity.none.wall", 1_000_000, Bound::FloorAnd(0.30)),
    at_most("subscribe.entity.none.heap", 150.0),
    at_most("subscribe.entity.none.peak", 260.0),
    of_size("subscribe.message.none.cpu", 500_000, Bound::AtMost(0.15)),
    at_most("subscribe.message.none.heap", 170.0),
    at_most("update.cpu", 300.0),
    at_most("events.cpu", 50.0),
    at_most("find.held", 110.0),
    at_most("find.each", 150.0),
    at_most("iterate", 8.0),
    Goal { case: "rtt.cpu", n: None, bound: Bound::FloorAnd(25.0) },
    at_most("pipelined.cpu", 1.5),
    Goal { case: "pipelined.rate", n: None, bound: Bound::InFloorsSpread },
    at_most("frames.p99", 2.5),
    at_most("idle.task.resident", 60.0),
    at_most("idle.manual.resident", 60.0),
    at_most("idle.task.threads", 0.0),
    at_most("idle.tls.threads", 0.0),
    at_most("large.pong", 1000.0),
    at_most("large.peak", 1.1),
];

/// A goal in words, and whether it is met: two cells of the table.
pub(crate) struct Verdict {
    goal: String,
    is_met: bool,
    /// Factor by which the goal is missed.
    times: f64,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { goal, is_met, times } = self;
        write!(f, "{goal} | ")?;
        if *is_met { f.write_str("yes") } else { write!(f, "no, {} times", short(*times)) }
    }
}

impl Goal {
    pub(crate) fn is_of(&self, case: &str, n: u64) -> bool {
        self.case == case && self.n.is_none_or(|size| size == n)
    }

    /// None if there is no number of ours, or none to compare it with.
    pub(crate) fn verdict(&self, numbers: &Numbers, n: u64) -> Option<Verdict> {
        let value = numbers.cell(OURS, self.case, n)?.median;
        let floor = || numbers.cell("floor", self.case, n);
        Some(match self.bound {
            Bound::AtMost(limit) => Verdict::at_most(value, limit, short(limit)),
            Bound::FloorAnd(more) => {
                let limit = floor()?.median + more;
                Verdict::at_most(
                    value,
                    limit,
                    format!("floor + {} = {}", short(more), short(limit)),
                )
            }
            Bound::InFloorsSpread => {
                let limit = floor()?.least;
                let goal = format!("floor's spread: {} or more", short(limit));
                Verdict { goal, is_met: value >= limit, times: limit / value }
            }
        })
    }
}

impl Verdict {
    fn at_most(value: f64, limit: f64, goal: String) -> Self {
        Self { goal, is_met: value <= limit, times: value / limit }
    }
}

/// Allowed CPU time of a compressed subscription in multiples of a plain one's, beside decompressing.
const DECOMPRESSED_TIMES: f64 = 1.3;

/// Compressed subscriptions beside plain ones of the same size: the case, its size, the times, and what to say of them.
pub(crate) fn decompression(numbers: &Numbers) -> Vec<(&str, u64, f64, Verdict)> {
    let mut all = Vec::new();
    for (case, n, _) in numbers.cases() {
        let Some(frame) = case.strip_suffix(".cpu").filter(|frame| !frame.ends_with(".none"))
        else {
            continue;
        };
        let Some((table, _)) = frame.rsplit_once('.') else { continue };
        let ours = |case: String| Some(numbers.cell(OURS, &case, n)?.median);
        if let Some(whole) = ours(case.into())
            && let Some(alone) = ours(format!("{frame}.decompress"))
            && let Some(plain) = ours(format!("{table}.none.cpu"))
        {
            let times = (whole - alone) / plain;
            let limit = DECOMPRESSED_TIMES;
            all.push((case, n, times, Verdict::at_most(times, limit, short(limit))));
        }
    }
    all
}
