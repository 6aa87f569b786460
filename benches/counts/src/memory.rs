//! Memory taken and given back, in bytes and not in instructions.

use std::fs;

use bench_harness::{heap, resident, trim};

use crate::input::{self, Entity};
use crate::rig::Rig;

/// One row of so many stays when most are deleted.
const KEPT: u64 = 100;

/// Deletes 99 % of a table of `rows`, and prints the bytes of what was held, and of what is.
pub(crate) fn delete_most(rows: u64) {
    let mut rig = Rig::online();
    rig.register::<Entity>();
    trim();
    let (heap_before, resident_before) = (heap(), resident("VmRSS"));
    let body = rig.subscribe::<Entity>(input::entities(0..rows, 0));
    rig.receive(body);
    rig.settle(|_| ());
    trim();
    let held = (heap() - heap_before, resident("VmRSS") - resident_before);
    let gone = (0..rows).filter(|id| id % KEPT != 0);
    let body = rig.update::<Entity>(Vec::new(), input::entities(gone, 0));
    rig.receive(body);
    rig.settle(|_| ());
    trim();
    let kept = (heap() - heap_before, resident("VmRSS") - resident_before);
    let view = rig.read();
    let table = view.table::<Entity>().expect("a table");
    assert_eq!(table.len() as u64, rows.div_ceil(KEPT));
    assert!(table.iter().all(|row| row.id % KEPT == 0 && row.hp == input::hp(row.id, 0)));
    println!("heap-held {:.0}\nheap-kept {:.0}", held.0, kept.0);
    println!("resident-held {:.0}\nresident-kept {:.0}", held.1, kept.1);
}

/// Applies a first subscription whose message has so many MiB, and prints its bytes, those of its rows, and the most
/// that both took at once.
pub(crate) fn large_message(mebibytes: u64) {
    /// Bytes of a row on the wire: 72, and 8 for its offset.
    const ROW: u64 = 80;
    let rows = mebibytes * 1024 * 1024 / ROW;
    let mut rig = Rig::online();
    rig.register::<Entity>();
    trim();
    let (heap_before, resident_before) = (heap(), resident("VmRSS"));
    let body = rig.subscribe::<Entity>(input::entities(0..rows, 0));
    let frame = body.len();
    trim();
    // What was the most so far is forgotten (proc_pid_clear_refs(5)).
    fs::write("/proc/self/clear_refs", "5").expect("the most so far can be forgotten");
    rig.receive(body);
    rig.settle(|_| ());
    let peak = resident("VmHWM") - resident_before;
    let held = heap() - heap_before;
    assert_eq!(rig.read().table::<Entity>().expect("a table").len() as u64, rows);
    println!("frame {frame}\nrows {held:.0}\npeak {peak:.0}");
}
