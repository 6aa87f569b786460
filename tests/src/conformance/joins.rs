//! Transactions over several indexed tables, and two plain tables to join.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

use super::indexes::BtreeU32;
use super::keys::{PkU32, PkU32Two, UniqueU32, insert};

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "r")]
pub struct RRow {
    #[primary_key]
    pub id: u32,
    #[index(btree)]
    pub s_id: u32,
    pub text: String,
}

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "s")]
pub struct SRow {
    #[primary_key]
    pub id: u32,
    #[index(btree)]
    pub visible: bool,
}

/// Inserts the row, or replaces the one with its id.
#[reducer]
pub fn put_r(id: u32, s_id: u32, text: String);

/// Inserts the row, or replaces the one with its id.
#[reducer]
pub fn put_s(id: u32, visible: bool);

#[reducer]
pub fn delete_r(id: u32);

#[reducer]
pub fn delete_s(id: u32);

/// Inserts a row into `unique_u_32` and gives the row of `pk_u_32` with the same key other data.
#[reducer]
pub fn insert_unique_u32_update_pk_u32(
    key: u32,
    unique_data: i32,
    pk_data: i32,
) -> Result<(), String>;

/// Moves the row from `pk_u_32` to `pk_u_32_two`.
#[reducer]
pub fn delete_pk_u32_insert_pk_u32_two(key: u32, data: i32) -> Result<(), String>;

/// A row of `btree_u_32`, as an argument.
#[derive(Bsatn, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub n: u32,
    pub data: i32,
}

#[reducer]
pub fn insert_into_btree_u32(rows: Vec<Entry>);

#[reducer]
pub fn delete_from_btree_u32(rows: Vec<Entry>);

/// Inserts into `pk_u_32` and `btree_u_32` in one transaction.
#[reducer]
pub fn insert_into_pk_btree_u32(pk_rows: Vec<Entry>, btree_rows: Vec<Entry>);

pub(super) fn install(builder: Builder) -> Builder {
    builder
        .table::<RRow>()
        .table::<SRow>()
        .reducer(|tx: &mut Tx, PutR { id, s_id, text }| {
            tx.upsert(RRow { id, s_id, text });
            Ok(())
        })
        .reducer(|tx: &mut Tx, PutS { id, visible }| {
            tx.upsert(SRow { id, visible });
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeleteR { id }| {
            tx.delete_by(RRow::ID, &id);
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeleteS { id }| {
            tx.delete_by(SRow::ID, &id);
            Ok(())
        })
        .reducer(|tx: &mut Tx, InsertUniqueU32UpdatePkU32 { key, unique_data, pk_data }| {
            insert(tx, UniqueU32 { key, data: unique_data })?;
            let row = tx.find(PkU32::KEY, &key).ok_or("no row of pk_u32 has this key")?;
            tx.update(PkU32 { data: pk_data, ..row });
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeletePkU32InsertPkU32Two { key, data }| {
            tx.delete_by(PkU32::KEY, &key);
            insert(tx, PkU32Two { key, data })
        })
        .reducer(|tx: &mut Tx, InsertIntoBtreeU32 { rows }| {
            insert_entries(tx, rows);
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeleteFromBtreeU32 { rows }| {
            rows.iter().for_each(|Entry { n, data }| {
                tx.delete(&BtreeU32 { n: *n, data: *data });
            });
            Ok(())
        })
        .reducer(|tx: &mut Tx, InsertIntoPkBtreeU32 { pk_rows, btree_rows }| {
            pk_rows.iter().for_each(|Entry { n, data }| tx.insert(PkU32 { key: *n, data: *data }));
            insert_entries(tx, btree_rows);
            Ok(())
        })
}

fn insert_entries(tx: &mut Tx, rows: Vec<Entry>) {
    rows.iter().for_each(|Entry { n, data }| tx.insert(BtreeU32 { n: *n, data: *data }));
}
