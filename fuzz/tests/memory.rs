//! No input makes a target take more memory than the target says.
//!
//! Apart from the other tests because it counts every allocation of its process.

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

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lightlike_fuzz::{TARGETS, Target};

use mutate::{Random, mutate};
use seeds::seeds;

/// The system's allocator, with a count of the bytes that are taken and of the most that ever were.
struct Counting;

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: both methods do what the system's allocator does, with the caller's own arguments, and count beside it.
// Counting neither allocates nor unwinds.
#[expect(unsafe_code, reason = "an allocator is unsafe to be; this one only counts")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken = TAKEN.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(taken, Relaxed);
        // SAFETY: the caller promises what `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller promises what `System` asks for: the memory is from `alloc`, which is `System`'s.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// The most bytes that a run took beside what was taken before it.
fn peak_bytes(target: &Target, input: &[u8]) -> usize {
    let before = TAKEN.load(Relaxed);
    PEAK.store(before, Relaxed);
    (target.run)(input);
    PEAK.load(Relaxed) - before
}

/// An input whose lengths are as large as they can be.
fn greedy(seed: &[u8], at: usize) -> Vec<u8> {
    let mut input = seed.to_vec();
    for byte in input.iter_mut().skip(at).take(4) {
        *byte = 0xff;
    }
    input
}

#[test]
fn memory_stays_in_proportion_to_the_input() {
    for target in TARGETS {
        let seeds = seeds(target.input);
        let mut random = Random(2);
        let changed = (0..2000).map(|_| mutate(&seeds, &mut random));
        let greedy =
            seeds.iter().flat_map(|seed| (0..seed.len().min(64)).map(|at| greedy(seed, at)));
        for input in seeds.iter().cloned().chain(changed).chain(greedy) {
            let (peak, most) = (peak_bytes(target, &input), (target.peak_bytes)(input.len()));
            assert!(peak <= most, "`{}` took {peak} bytes for {}", target.name, input.len());
        }
    }
}
