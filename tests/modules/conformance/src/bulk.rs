//! Large messages: many rows in one transaction, of a size that the caller says.

use spacetimedb::{ReducerContext, Table, reducer, table};

/// Rows 0 to count - 1.
#[table(accessor = bulk, public)]
pub struct Bulk {
    #[primary_key]
    id: u64,
    /// `id` modulo 16, until an update.
    #[index(btree)]
    bucket: u32,
    text: String,
}

/// Rows of constant size, without a key: `x` is 0 to count - 1.
#[table(accessor = bulk_point, public)]
pub struct BulkPoint {
    #[index(btree)]
    x: u64,
    y: i64,
    z: f64,
}

/// Inserts `n` rows after those that are there; the text of each has `text_bytes` bytes.
#[reducer]
pub fn insert_many(ctx: &ReducerContext, n: u64, text_bytes: u32) {
    let start = ctx.db.bulk().count();
    for id in start..start + n {
        ctx.db.bulk().insert(Bulk { id, bucket: (id % 16) as u32, text: text(id, text_bytes) });
    }
}

/// Adds one to the bucket of the first `n` rows.
#[reducer]
pub fn update_many(ctx: &ReducerContext, n: u64) {
    let rows = ctx.db.bulk().id();
    for row in (0..n).map_while(|id| rows.find(id)) {
        rows.update(Bulk { bucket: row.bucket + 1, ..row });
    }
}

/// Deletes the last `n` rows.
#[reducer]
pub fn delete_many(ctx: &ReducerContext, n: u64) {
    let end = ctx.db.bulk().count();
    for id in end.saturating_sub(n)..end {
        ctx.db.bulk().id().delete(id);
    }
}

/// Inserts `n` points after those that are there.
#[reducer]
pub fn insert_many_points(ctx: &ReducerContext, n: u64) {
    let start = ctx.db.bulk_point().count();
    for x in start..start + n {
        ctx.db.bulk_point().insert(BulkPoint { x, y: -(x as i64), z: x as f64 / 2.0 });
    }
}

/// Deletes the last `n` points.
#[reducer]
pub fn delete_many_points(ctx: &ReducerContext, n: u64) {
    let end = ctx.db.bulk_point().count();
    for x in end.saturating_sub(n)..end {
        ctx.db.bulk_point().x().delete(x);
    }
}

/// The id in decimal, repeated and cut: it compresses, but not to nothing.
fn text(id: u64, bytes: u32) -> String {
    let unit = format!("{id} ");
    unit.chars().cycle().take(bytes as usize).collect()
}
