//! Rows that follow from their numbers, as large as those of the benchmark's tables.

use std::ops::Range;

use lightlike::prelude::*;
use lightlike_core::bsatn;

#[derive(Bsatn, Table, Debug, Clone)]
#[table(name = "entity")]
pub(crate) struct Entity {
    #[primary_key]
    pub(crate) id: u64,
    pub(crate) owner: Identity,
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) z: f32,
    pub(crate) hp: i32,
    pub(crate) name: String,
}

#[derive(Bsatn, Table, Debug, Clone)]
#[table(name = "message")]
pub(crate) struct Message {
    pub(crate) sender: Identity,
    pub(crate) sent: Timestamp,
    pub(crate) text: String,
}

#[derive(Bsatn, Table, Debug, Clone)]
#[table(name = "tick", event)]
pub(crate) struct Tick {
    pub(crate) id: u64,
    pub(crate) value: f64,
}

fn encoded<T: bsatn::Encode>(row: &T) -> Vec<u8> {
    bsatn::to_vec(row).expect("rows of a few bytes have an encoding")
}

pub(crate) fn hp(id: u64, revision: i32) -> i32 {
    (id % 1000) as i32 + revision
}

pub(crate) fn entity(id: u64, revision: i32) -> Entity {
    Entity {
        id,
        owner: Identity::from_le_bytes([7; 32]),
        x: id as f32,
        y: 2.0,
        z: 3.0,
        hp: hp(id, revision),
        name: "entity name.."[..11 + id as usize % 3].to_owned(),
    }
}

pub(crate) fn entities(ids: impl IntoIterator<Item = u64>, revision: i32) -> Vec<Vec<u8>> {
    ids.into_iter().map(|id| encoded(&entity(id, revision))).collect()
}

pub(crate) fn messages(numbers: Range<u64>) -> Vec<Vec<u8>> {
    let message = |number: u64| Message {
        sender: Identity::from_le_bytes([7; 32]),
        sent: Timestamp::from_micros(1_700_000_000_000_000),
        text: format!(
            "{number:09} {}",
            &"words and more of these words here"[number as usize % 5..]
        ),
    };
    numbers.map(|number| encoded(&message(number))).collect()
}

pub(crate) fn ticks(ids: Range<u64>) -> Vec<Vec<u8>> {
    ids.map(|id| encoded(&Tick { id, value: id as f64 })).collect()
}
