//! The floor of reads: a bare hash index over a bare `Vec` of such rows.

use bench_harness::Lookups;
use hashbrown::HashMap;

/// As large as a row of the table, and its text in a heap block of its own.
#[expect(dead_code, reason = "for its size")]
struct Entity {
    id: u64,
    owner: [u8; 32],
    place: [f32; 3],
    hp: i32,
    name: String,
}

pub(crate) fn lookups(rows: u64) -> Lookups<'static> {
    let row = |id: u64| Entity {
        id,
        owner: [7; 32],
        place: [0.0; 3],
        hp: (id % 1000) as i32 + 1,
        name: format!("{:012}", id),
    };
    let all: Vec<Entity> = (0..rows).map(row).collect();
    let all: &'static [Entity] = all.leak();
    let mut by_id: HashMap<u64, u32, foldhash::fast::RandomState> = HashMap::default();
    by_id.extend(all.iter().enumerate().map(|(place, row)| (row.id, place as u32)));
    Lookups {
        find: vec![(
            "find.held",
            Box::new(move |ids| ids.iter().map(|id| i64::from(all[by_id[id] as usize].hp)).sum()),
        )],
        iterate: vec![(
            "iterate",
            Box::new(move |_| all.iter().map(|row| i64::from(row.hp)).sum()),
        )],
    }
}
