//! What must not grow: each case does the same for every size, and prints what a unit of it took. `../../growth`
//! compares the sizes.

mod optimistic;
mod sets;
mod tables;
mod watches;

use std::env::Args;
use std::iter::Skip;

use bench_harness::{faults, thread_cpu};
use lightlike_core::cache::Transaction;

use crate::memory;

/// Number of one-row transactions measured together.
const TRANSACTIONS: u64 = 100;

/// Runs `CASE SIZE`.
pub(crate) fn run(mut args: Skip<Args>) {
    let case = args.next().unwrap_or_default();
    let size = args.next().and_then(|size| size.parse::<u64>().ok()).expect("CASE SIZE");
    match case.as_str() {
        "subscribe-keyed" => tables::subscribe_keyed(size),
        "subscribe-keyless" => tables::subscribe_keyless(size),
        "update-in-table" => tables::update(size),
        "one-row-in-table" => tables::one_row(size),
        "one-row-beside-tables" => tables::one_row_beside(size),
        "one-row-beside-watches" => watches::one_row_beside(size),
        "subscribe-overlapping-sets" => sets::subscribe(size),
        "one-row-in-sets" => sets::one_row_in(size),
        "one-row-beside-sets" => sets::one_row_beside(size),
        "one-row-beside-calls" => optimistic::one_row_beside(size),
        "rows-beside-calls" => optimistic::rows_beside(size),
        "delete-most" => memory::delete_most(size),
        "large-message" => memory::large_message(size),
        other => panic!("`{other}` is no case"),
    }
}

/// Runs the [counted](crate::measured) and timed part: prints nanoseconds and page faults a unit, of which there are
/// `units`.
fn measured<T>(units: u64, act: impl FnOnce() -> T) -> T {
    let (cpu, faulted) = (thread_cpu(), faults());
    let result = crate::measured(act);
    let (cpu, faulted) = (thread_cpu() - cpu, faults() - faulted);
    println!("units {units}");
    println!("nanoseconds {:.1}", cpu / units as f64 * 1e9);
    println!("faults {:.3}", faulted as f64 / units as f64);
    result
}

/// The rows that a transaction shows to a callback.
fn rows_in(transaction: &Transaction) -> u64 {
    transaction.tables().iter().map(|diff| diff.len() as u64).sum()
}
