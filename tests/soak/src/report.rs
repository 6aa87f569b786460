//! Summary of a soak.

use std::fmt;

use crate::life::Ended;
use crate::memory::Samples;
use crate::witness::Witness;

/// Sums over all clients, and what is wrong.
pub(crate) struct Report {
    memory: Samples,
    clients: usize,
    calls: u64,
    answers: [u64; 4],
    sets: u64,
    losses: u64,
    restarts: u64,
    rows: usize,
    witness_losses: u64,
    problems: Vec<String>,
}

impl Report {
    pub(crate) fn new(memory: Samples) -> Self {
        Self {
            memory,
            clients: 0,
            calls: 0,
            answers: [0; 4],
            sets: 0,
            losses: 0,
            restarts: 0,
            rows: 0,
            witness_losses: 0,
            problems: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, ended: Ended) {
        self.clients += 1;
        self.calls += ended.calls;
        self.sets += ended.sets;
        self.losses += ended.losses;
        self.restarts += ended.restarts;
        for (sum, count) in self.answers.iter_mut().zip(ended.answers) {
            *sum += count;
        }
        let name = ended.number;
        self.problems.extend(ended.problems.into_iter().map(|it| format!("client {name}: {it}")));
    }

    pub(crate) fn add_witness(&mut self, witness: &Witness) {
        self.rows = witness.rows();
        self.witness_losses = witness.losses();
    }

    pub(crate) fn is_good(&self) -> bool {
        self.problems.is_empty() && self.memory.is_flat() && self.witness_losses == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [committed, unknown, not_sent, rejected] = self.answers;
        writeln!(
            f,
            "{} clients, {} restarts, {} sets, {} lost connections",
            self.clients, self.restarts, self.sets, self.losses
        )?;
        writeln!(
            f,
            "{} calls: {committed} committed, {unknown} unknown, {not_sent} not sent, {rejected} rejected; {} rows",
            self.calls, self.rows
        )?;
        let (before, after) = self.memory.ends();
        let flat = if self.memory.is_flat() { "flat" } else { "NOT FLAT" };
        writeln!(f, "memory {} MB, then {} MB: {flat}", before >> 20, after >> 20)?;
        if self.witness_losses > 0 {
            writeln!(
                f,
                "the witness lost its connection {} times: counts are not whole",
                self.witness_losses
            )?;
        }
        for problem in &self.problems {
            writeln!(f, "PROBLEM {problem}")?;
        }
        write!(f, "{} problems", self.problems.len())
    }
}
