//! The database of the benchmark: three tables, and reducers that fill, change and empty them.
//!
//! What a column holds follows from the row's number alone, so that every server has the same rows.

use spacetimedb::{Identity, ReducerContext, Table, Timestamp, reducer, table};

/// 72 bytes of BSATN on average: 8, 32, 3 times 4, 4, and 4 with 12 of text. Names differ in length, or the server would
/// leave out the 8 bytes a row that say where it starts.
#[table(accessor = entity, public)]
pub struct Entity {
    #[primary_key]
    id: u64,
    owner: Identity,
    x: f32,
    y: f32,
    z: f32,
    hp: i32,
    name: String,
}

/// 84 bytes of BSATN on average, and no key: a row is known by all of its content.
#[table(accessor = message, public)]
pub struct Message {
    sender: Identity,
    sent: Timestamp,
    text: String,
}

/// Rows of 16 bytes that are sent and not kept.
#[table(accessor = tick, public, event)]
pub struct Tick {
    id: u64,
    value: f64,
}

/// Bits that look random and follow from `n` (the finaliser of SplitMix64).
fn scatter(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Words that compress about as well as names and sentences do: three letters a syllable.
fn words(mut bits: u64, syllables: usize) -> String {
    const SYLLABLES: [&str; 32] = [
        "bal", "cor", "dan", "esk", "fir", "gom", "hul", "ith", "jar", "kel", "lin", "mor", "nas",
        "oth", "pel", "qua", "rin", "sol", "tam", "urd", "van", "wes", "yar", "zel", "bri", "cla",
        "dro", "fen", "gla", "hem", "kri", "mav",
    ];
    let mut text = String::with_capacity(3 * syllables);
    for _ in 0..syllables {
        text.push_str(SYLLABLES[(bits & 31) as usize]);
        bits >>= 5;
    }
    text
}

/// A place on a map of 4096 by 4096.
fn coordinate(bits: u64) -> f32 {
    (bits & 0xff_ffff) as f32 / 4096.0
}

/// Sees to it that there are the entities `from..from + n`.
#[reducer]
pub fn fill_entities(ctx: &ReducerContext, from: u64, n: u32) {
    for id in from..from + u64::from(n) {
        if ctx.db.entity().id().find(id).is_none() {
            let (place, rest) = (scatter(id), scatter(!id));
            ctx.db.entity().insert(Entity {
                id,
                owner: ctx.sender(),
                x: coordinate(place),
                y: coordinate(place >> 24),
                z: coordinate(rest),
                hp: (place >> 48) as i32 % 1000,
                name: words(rest >> 24, 3 + (rest >> 60) as usize % 3),
            });
        }
    }
}

/// Removes the entities from `from` on.
#[reducer]
pub fn delete_entities(ctx: &ReducerContext, from: u64, n: u32) {
    for id in from..from + u64::from(n) {
        ctx.db.entity().id().delete(id);
    }
}

/// Changes `n` entities in one transaction.
#[reducer]
pub fn move_entities(ctx: &ReducerContext, from: u64, n: u32) {
    for id in from..from + u64::from(n) {
        if let Some(mut row) = ctx.db.entity().id().find(id) {
            row.x += 1.0;
            row.y -= 1.0;
            ctx.db.entity().id().update(row);
        }
    }
}

/// Adds `n` messages, no two with the same text.
#[reducer]
pub fn fill_messages(ctx: &ReducerContext, n: u32) {
    let held = ctx.db.message().count();
    for number in held..held + u64::from(n) {
        let bits = scatter(number);
        let text = format!("{number:09} {}", words(bits, 8 + (bits >> 60) as usize % 5));
        ctx.db.message().insert(Message { sender: ctx.sender(), sent: ctx.timestamp, text });
    }
}

/// Removes all messages.
#[reducer]
pub fn clear_messages(ctx: &ReducerContext) {
    let rows: Vec<Message> = ctx.db.message().iter().collect();
    for row in rows {
        ctx.db.message().delete(row);
    }
}

/// Sends `n` event rows in one transaction.
#[reducer]
pub fn emit_ticks(ctx: &ReducerContext, n: u32) {
    for id in 0..u64::from(n) {
        ctx.db.tick().insert(Tick { id, value: id as f64 });
    }
}

/// Does nothing: what is left is the call.
#[reducer]
pub fn ping(_ctx: &ReducerContext, _n: u64) {}
