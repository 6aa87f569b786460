//! Every target over recorded inputs, over each of them cut off, and over a few thousand changed ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../core/tests/support/hex.rs"]
mod hex;
#[path = "support/mutate.rs"]
mod mutate;
#[path = "support/seeds.rs"]
mod seeds;
#[path = "../../core/tests/support/session_files.rs"]
#[expect(dead_code, reason = "tests of sessions need the rest")]
mod session_files;

use std::collections::HashSet;
use std::panic::catch_unwind;

use lightlike_fuzz::{TARGETS, Target};

use mutate::{Random, mutate};
use seeds::seeds;

/// Changed inputs a target.
const MUTATIONS: u32 = 4000;

/// Runs a target and says on which input it failed.
fn run(target: &Target, input: &[u8]) {
    if catch_unwind(|| (target.run)(input)).is_err() {
        let digits: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("target `{}` failed on {digits}", target.name);
    }
}

/// Lengths to cut an input of `len` bytes off at: all of a short one, some of a long one.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..len).step_by(len.div_ceil(96).max(1))
}

#[test]
fn names_of_targets_are_their_own() {
    let names: HashSet<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names.len(), TARGETS.len());
}

#[test]
fn recorded_inputs_hold_what_targets_promise() {
    for target in TARGETS {
        let seeds = seeds(target.input);
        assert!(!seeds.is_empty(), "{} has no input", target.name);
        seeds.iter().for_each(|seed| run(target, seed));
    }
}

#[test]
fn inputs_cut_off_anywhere_hold_what_targets_promise() {
    for target in TARGETS {
        for seed in seeds(target.input) {
            cuts(seed.len()).for_each(|len| run(target, &seed[..len]));
        }
    }
}

#[test]
fn changed_inputs_hold_what_targets_promise() {
    for target in TARGETS {
        let seeds = seeds(target.input);
        let mut random = Random(1);
        (0..MUTATIONS).for_each(|_| run(target, &mutate(&seeds, &mut random)));
    }
}
