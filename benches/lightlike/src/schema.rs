//! The application's view of `../../module`.

use lightlike::prelude::*;

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

#[reducer]
pub(crate) fn ping(n: u64);

#[reducer]
pub(crate) fn move_entities(from: u64, n: u32);

#[reducer]
pub(crate) fn emit_ticks(n: u32);
