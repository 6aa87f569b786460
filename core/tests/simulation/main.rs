//! Random lives of a client: sockets, servers, disks and programs end at any point, and every promise holds.
//!
//! `LIGHTLIKE_SEEDS` says how many lives (10,000 unless given), `LIGHTLIKE_SEED` which one alone. A failure names its seed.

#![expect(clippy::unwrap_used, reason = "a life that cannot go on has failed")]

mod hang_ups;
#[path = "../machine/item.rs"]
mod item;
mod links;
mod lives;
mod model;
mod moments;
mod panics;
mod rows;
mod runs;
mod server;
mod world;

use self::hang_ups::HangUps;
use self::item::Item;
use self::lives::Life;
use self::panics::Shaky;
use self::world::World;

/// Number of lives, unless the environment says otherwise.
const SEEDS: u64 = 10_000;

#[test]
fn cache_converges_and_calls_complete_once_under_faults() {
    each_seed(SEEDS, World::live);
}

/// How many lives of values that are moved, unless the environment says otherwise.
const SLIDERS: u64 = 60;

#[test]
fn mutators_run_once_for_each_reason() {
    each_seed(SLIDERS, World::slide);
}

/// How many lives of commands at any moment, unless the environment says otherwise.
const LIVES: u64 = 300;

#[test]
fn rows_are_owned_whatever_is_commanded_between_steps() {
    each_seed(LIVES, Life::<Item>::live);
}

#[test]
fn rows_that_panic_end_only_their_sets() {
    each_seed(LIVES, Life::<Shaky>::live);
}

/// How many lives on bad links, unless the environment says otherwise.
const LINKS: u64 = 100;

#[test]
fn slow_links_and_odd_answers_end_no_client() {
    each_seed(LINKS, links::live);
}

/// How many lives among calls that end connections, unless the environment says otherwise.
const HANG_UPS: u64 = 3_000;

#[test]
fn calls_that_end_connections_harm_no_others() {
    each_seed(HANG_UPS, HangUps::live);
}

/// Lives that panic fail, by their seeds.
fn each_seed(count: u64, live: fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("LIGHTLIKE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LIGHTLIKE_SEEDS").unwrap_or(count),
    };
    let failed: Vec<u64> =
        seeds.filter(|seed| std::panic::catch_unwind(|| live(*seed)).is_err()).collect();
    let first = failed.first().copied().unwrap_or_default();
    assert!(
        failed.is_empty(),
        "{} lives fail: LIGHTLIKE_SEED={first} repeats the first",
        failed.len()
    );
}

/// SplitMix64: the same life for the same seed.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, of_hundred: u64) -> bool {
        self.below(100) < of_hundred
    }
}
