//! Large messages: many rows in one transaction, of a size that the caller says.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

pub use super::values::{point, text};

/// Rows 0 to count - 1.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct Bulk {
    #[primary_key]
    pub id: u64,
    /// `id` modulo 16, until an update.
    #[index(btree)]
    pub bucket: u32,
    pub text: String,
}

/// Rows of constant size, without a key: `x` is 0 to count - 1.
#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table]
pub struct BulkPoint {
    #[index(btree)]
    pub x: u64,
    pub y: i64,
    pub z: f64,
}

/// Inserts `n` rows after those that are there; the text of each has `text_bytes` bytes.
#[reducer]
pub fn insert_many(n: u64, text_bytes: u32);

/// Adds one to the bucket of the first `n` rows.
#[reducer]
pub fn update_many(n: u64);

/// Deletes the last `n` rows.
#[reducer]
pub fn delete_many(n: u64);

/// Inserts `n` points after those that are there.
#[reducer]
pub fn insert_many_points(n: u64);

/// Deletes the last `n` points.
#[reducer]
pub fn delete_many_points(n: u64);

pub(super) fn install(builder: Builder) -> Builder {
    builder
        .table::<Bulk>()
        .table::<BulkPoint>()
        .reducer(|tx: &mut Tx, InsertMany { n, text_bytes }| {
            let start = tx.len::<Bulk>() as u64;
            for id in start..start + n {
                tx.insert(Bulk { id, bucket: (id % 16) as u32, text: text(id, text_bytes) });
            }
            Ok(())
        })
        .reducer(|tx: &mut Tx, UpdateMany { n }| {
            for id in 0..n {
                let Some(row) = tx.find(Bulk::ID, &id) else { break };
                tx.update(Bulk { bucket: row.bucket + 1, ..row });
            }
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeleteMany { n }| {
            let end = tx.len::<Bulk>() as u64;
            for id in end.saturating_sub(n)..end {
                tx.delete_by(Bulk::ID, &id);
            }
            Ok(())
        })
        .reducer(|tx: &mut Tx, InsertManyPoints { n }| {
            let start = tx.len::<BulkPoint>() as u64;
            (start..start + n).map(point).for_each(|point| tx.insert(point));
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeleteManyPoints { n }| {
            let end = tx.len::<BulkPoint>() as u64;
            for x in end.saturating_sub(n)..end {
                tx.delete(&point(x));
            }
            Ok(())
        })
}
