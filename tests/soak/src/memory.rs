//! Resident memory of this process over time.

use std::time::Duration;

/// Growth that counts as flat beside the factor: allocators keep pages, and the witness remembers every call.
const SLACK_BYTES: u64 = 64 << 20;

/// Samples of resident memory, in bytes.
#[derive(Default)]
pub(crate) struct Samples(Vec<(Duration, u64)>);

impl Samples {
    pub(crate) fn add(&mut self, at: Duration) {
        self.0.push((at, resident()));
    }

    pub(crate) fn last(&self) -> u64 {
        self.0.last().map_or(0, |(_, bytes)| *bytes)
    }

    /// Medians of the second and the last fifth: the first fifth warms up.
    pub(crate) fn ends(&self) -> (u64, u64) {
        let fifth = self.0.len() / 5;
        let median = |part: &[(Duration, u64)]| {
            let mut bytes: Vec<u64> = part.iter().map(|(_, bytes)| *bytes).collect();
            bytes.sort_unstable();
            bytes.get(bytes.len() / 2).copied().unwrap_or(0)
        };
        (median(&self.0[fifth..2 * fifth]), median(&self.0[self.0.len() - fifth..]))
    }

    /// Returns `true` if the end is no more than a quarter, and some slack, above the beginning.
    pub(crate) fn is_flat(&self) -> bool {
        let (before, after) = self.ends();
        after <= before + before / 4 + SLACK_BYTES
    }
}

/// Resident memory by `/proc`, 0 where there is none.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}
