//! A part of `tests/modules/conformance`, on the test kit: the same names, rows and words.

use lightlike::types::{
    ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid,
};
use lightlike::{Bsatn, Table, procedure, reducer};
use lightlike_testkit::{Builder, Server, Tx};

/// Tables of one column, and the reducers that insert into them.
macro_rules! one_column {
    ($($row:ident = $table:literal, $call:ident = $insert:literal: $ty:ty;)*) => {
        $(
            #[derive(Bsatn, Table, Debug, Clone, PartialEq)]
            #[table(name = $table)]
            pub struct $row {
                pub value: $ty,
            }
            #[reducer(name = $insert)]
            pub struct $call {
                pub value: $ty,
            }
        )*

        fn one_column(builder: Builder) -> Builder {
            builder$(.table::<$row>().reducer(|tx, $call { value }| {
                tx.insert($row { value });
                Ok(())
            }))*
        }
    };
}

#[derive(Bsatn, Debug, Clone, Copy, PartialEq)]
pub enum SimpleEnum {
    Zero,
    One,
    Two,
}

one_column! {
    OneU8 = "one_u_8", InsertOneU8 = "insert_one_u_8": u8;
    OneU64 = "one_u_64", InsertOneU64 = "insert_one_u_64": u64;
    OneU128 = "one_u_128", InsertOneU128 = "insert_one_u_128": u128;
    OneU256 = "one_u_256", InsertOneU256 = "insert_one_u_256": U256;
    OneI8 = "one_i_8", InsertOneI8 = "insert_one_i_8": i8;
    OneI64 = "one_i_64", InsertOneI64 = "insert_one_i_64": i64;
    OneI256 = "one_i_256", InsertOneI256 = "insert_one_i_256": I256;
    OneBool = "one_bool", InsertOneBool = "insert_one_bool": bool;
    OneF32 = "one_f_32", InsertOneF32 = "insert_one_f_32": f32;
    OneF64 = "one_f_64", InsertOneF64 = "insert_one_f_64": f64;
    OneString = "one_string", InsertOneString = "insert_one_string": String;
    OneIdentity = "one_identity", InsertOneIdentity = "insert_one_identity": Identity;
    OneConnectionId = "one_connection_id", InsertOneConnectionId = "insert_one_connection_id": ConnectionId;
    OneTimestamp = "one_timestamp", InsertOneTimestamp = "insert_one_timestamp": Timestamp;
    OneTimeDuration = "one_time_duration", InsertOneTimeDuration = "insert_one_time_duration": TimeDuration;
    OneScheduleAt = "one_schedule_at", InsertOneScheduleAt = "insert_one_schedule_at": ScheduleAt;
    OneUuid = "one_uuid", InsertOneUuid = "insert_one_uuid": Uuid;
    OneSimpleEnum = "one_simple_enum", InsertOneSimpleEnum = "insert_one_simple_enum": SimpleEnum;
    VecU8 = "vec_u_8", InsertVecU8 = "insert_vec_u_8": Vec<u8>;
    VecI32 = "vec_i_32", InsertVecI32 = "insert_vec_i_32": Vec<i32>;
    OptionI32 = "option_i_32", InsertOptionI32 = "insert_option_i_32": Option<i32>;
    ResultI32String = "result_i_32_string", InsertResultI32String = "insert_result_i_32_string": Result<i32, String>;
}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "pk_u_32")]
pub struct PkU32 {
    #[primary_key]
    pub key: u32,
    pub data: i32,
}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "btree_u_32")]
pub struct BtreeU32 {
    #[index(btree)]
    pub n: u32,
    pub data: i32,
}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "r")]
pub struct R {
    #[primary_key]
    pub id: u32,
    #[index(btree)]
    pub s_id: u32,
    pub text: String,
}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "s")]
pub struct S {
    #[primary_key]
    pub id: u32,
    #[index(btree)]
    pub visible: bool,
}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "no_columns")]
pub struct NoColumns {}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "secret")]
pub struct Secret {
    #[primary_key]
    pub id: u32,
    pub text: String,
}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "note")]
pub struct OwnedNote {
    #[primary_key]
    pub id: u64,
    #[index(btree)]
    pub owner: Identity,
    pub text: String,
}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "test_event", event)]
pub struct TestEvent {
    pub name: String,
    pub value: u64,
}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "player")]
pub struct Player {
    #[primary_key]
    pub entity_id: u64,
    #[unique]
    pub identity: Identity,
}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "player_level")]
pub struct PlayerLevel {
    #[primary_key]
    pub entity_id: u64,
    #[index(btree)]
    pub level: u64,
}

#[derive(Table)]
#[table(name = "my_player", view, row = Player)]
pub struct MyPlayer;

#[derive(Table)]
#[table(name = "players_at_level_0", view, row = Player)]
pub struct PlayersAtLevel0;

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "procedure_row")]
pub struct ProcedureRow {
    #[primary_key]
    pub id: u64,
    pub text: String,
}

#[derive(Bsatn, Debug, Clone, PartialEq)]
pub struct Entry {
    pub n: u32,
    pub data: i32,
}

#[reducer(name = "insert_pk_u_32")]
pub fn insert_pk_u32(key: u32, data: i32) -> Result<(), String>;
#[reducer(name = "update_pk_u_32")]
pub fn update_pk_u32(key: u32, data: i32) -> Result<(), String>;
#[reducer(name = "insert_into_pk_btree_u_32")]
pub fn insert_into_pk_btree_u32(pk_rows: Vec<Entry>, btree_rows: Vec<Entry>);
#[reducer(name = "delete_from_btree_u_32")]
pub fn delete_from_btree_u32(rows: Vec<Entry>);
#[reducer]
pub fn put_r(id: u32, s_id: u32, text: String);
#[reducer]
pub fn put_s(id: u32, visible: bool);
#[reducer]
pub fn delete_r(id: u32);
#[reducer]
pub fn delete_s(id: u32);
#[reducer]
pub fn insert_no_columns();
#[reducer]
pub fn insert_secret(id: u32, text: String);
#[reducer]
pub fn insert_note(text: String);
#[reducer]
pub fn give_note(id: u64, owner: Identity) -> Result<(), String>;
#[reducer]
pub fn emit_multiple_test_events();
#[reducer]
pub fn emit_same_event(name: String, n: u32);
#[reducer]
pub fn emit_event_with_row(name: String, value: u64);
#[reducer]
pub fn emit_event_and_fail(name: String) -> Result<(), String>;
#[reducer]
pub fn fail_with_string(message: String) -> Result<(), String>;
#[reducer]
pub fn fail_with_panic(message: String);
#[reducer]
pub fn fail_after_insert(value: u8) -> Result<(), String>;
#[reducer]
pub fn panic_after_insert(value: u8);
#[reducer]
pub fn no_op();
#[reducer]
pub fn insert_player(identity: Identity, level: u64);
#[reducer]
pub fn delete_player(identity: Identity);
#[procedure]
pub fn return_primitive(lhs: u32, rhs: u32) -> u32;
#[procedure]
pub fn return_result(even: u32) -> Result<u32, String>;
#[procedure]
pub fn insert_with_two_txs();
#[procedure]
pub fn insert_with_tx_rollback();
#[procedure]
pub fn insert_then_panic();

fn write(tx: &mut Tx, text: &str) {
    let id = tx.next_id::<ProcedureRow>();
    tx.insert(ProcedureRow { id, text: text.into() });
}

fn tables(builder: Builder) -> Builder {
    builder
        .table::<PkU32>()
        .table::<BtreeU32>()
        .table::<R>()
        .table::<S>()
        .table::<NoColumns>()
        .private_table::<Secret>()
        .table::<OwnedNote>()
        .row_filter::<OwnedNote>(|sender, note| note.owner == sender)
        .table::<TestEvent>()
        .table::<Player>()
        .table::<PlayerLevel>()
        .table::<ProcedureRow>()
        .view::<MyPlayer>(|tx| tx.find(Player::IDENTITY, &tx.sender()).into_iter().collect())
        .view::<PlayersAtLevel0>(|tx| {
            let at_0 = tx.iter::<PlayerLevel>().filter(|row| row.level == 0);
            at_0.filter_map(|row| tx.find(Player::ENTITY_ID, &row.entity_id)).collect()
        })
}

fn keyed(builder: Builder) -> Builder {
    builder
        .reducer(|tx, InsertPkU32 { key, data }| {
            // A module's error names the table as its code does.
            tx.try_insert(PkU32 { key, data })
                .map_err(|error| error.to_string().replace("pk_u_32", "pk_u32"))
        })
        .reducer(|tx, UpdatePkU32 { key, data }| {
            if !tx.delete_by(PkU32::KEY, &key) {
                return Err("no row has this key".into());
            }
            tx.insert(PkU32 { key, data });
            Ok(())
        })
        .reducer(|tx, InsertIntoPkBtreeU32 { pk_rows, btree_rows }| {
            pk_rows.into_iter().for_each(|Entry { n, data }| tx.insert(PkU32 { key: n, data }));
            btree_rows.into_iter().for_each(|Entry { n, data }| tx.insert(BtreeU32 { n, data }));
            Ok(())
        })
        .reducer(|tx, DeleteFromBtreeU32 { rows }| {
            for Entry { n, data } in rows {
                tx.delete(&BtreeU32 { n, data });
            }
            Ok(())
        })
        .reducer(|tx, PutR { id, s_id, text }| {
            tx.upsert(R { id, s_id, text });
            Ok(())
        })
        .reducer(|tx, PutS { id, visible }| {
            tx.upsert(S { id, visible });
            Ok(())
        })
        .reducer(|tx, DeleteR { id }| {
            tx.delete_by(R::ID, &id);
            Ok(())
        })
        .reducer(|tx, DeleteS { id }| {
            tx.delete_by(S::ID, &id);
            Ok(())
        })
        .reducer(|tx, InsertNoColumns {}| {
            tx.insert(NoColumns {});
            Ok(())
        })
        .reducer(|tx, InsertSecret { id, text }| {
            tx.insert(Secret { id, text });
            Ok(())
        })
        .reducer(|tx, InsertNote { text }| {
            let id = tx.next_id::<OwnedNote>();
            tx.insert(OwnedNote { id, owner: tx.sender(), text });
            Ok(())
        })
        .reducer(|tx, GiveNote { id, owner }| {
            let note = tx.find(OwnedNote::ID, &id).ok_or("no note has this id")?;
            tx.update(OwnedNote { owner, ..note });
            Ok(())
        })
}

fn failing(builder: Builder) -> Builder {
    let emit = |tx: &mut Tx, name: &str, value| tx.insert(TestEvent { name: name.into(), value });
    builder
        .reducer(move |tx, EmitMultipleTestEvents {}| {
            [("a", 1), ("b", 2), ("c", 3)]
                .into_iter()
                .for_each(|(name, value)| emit(tx, name, value));
            Ok(())
        })
        .reducer(move |tx, EmitSameEvent { name, n }| {
            (0..n).for_each(|_| emit(tx, &name, 0));
            Ok(())
        })
        .reducer(move |tx, EmitEventWithRow { name, value }| {
            tx.insert(OneU64 { value });
            emit(tx, &name, value);
            Ok(())
        })
        .reducer(move |tx, EmitEventAndFail { name }| {
            emit(tx, &name, 0);
            Err("failed after the event".into())
        })
        .reducer(|_, FailWithString { message }| Err(message))
        .reducer(|_, FailWithPanic { message }| panic!("{message}"))
        .reducer(|tx, FailAfterInsert { value }| {
            tx.insert(OneU8 { value });
            Err("failed after the insert".into())
        })
        .reducer(|tx, PanicAfterInsert { value }| {
            tx.insert(OneU8 { value });
            panic!("panicked after the insert")
        })
        .reducer(|_, NoOp {}| Ok(()))
}

fn players_and_procedures(builder: Builder) -> Builder {
    builder
        .reducer(|tx, InsertPlayer { identity, level }| {
            if let Some(Player { entity_id, .. }) = tx.find(Player::IDENTITY, &identity) {
                tx.update(PlayerLevel { entity_id, level });
            } else {
                let entity_id = tx.next_id::<Player>();
                tx.insert(Player { entity_id, identity });
                tx.insert(PlayerLevel { entity_id, level });
            }
            Ok(())
        })
        .reducer(|tx, DeletePlayer { identity }| {
            if let Some(Player { entity_id, .. }) = tx.find(Player::IDENTITY, &identity) {
                tx.delete_by(Player::ENTITY_ID, &entity_id);
                tx.delete_by(PlayerLevel::ENTITY_ID, &entity_id);
            }
            Ok(())
        })
        .procedure(|_, ReturnPrimitive { lhs, rhs }| lhs.wrapping_add(rhs))
        .procedure(|_, ReturnResult { even }| match even % 2 {
            0 => Ok(even / 2),
            _ => Err(format!("{even} is odd")),
        })
        .procedure(|ctx, InsertWithTwoTxs {}| {
            ctx.with_tx(|tx| write(tx, "first"));
            ctx.with_tx(|tx| write(tx, "second"));
        })
        .procedure(|ctx, InsertWithTxRollback {}| {
            let _: Result<(), ()> = ctx.try_with_tx(|tx| {
                write(tx, "rolled back");
                Err(())
            });
        })
        .procedure(|ctx, InsertThenPanic {}| {
            ctx.with_tx(|tx| write(tx, "before the panic"));
            panic!("panicked after the commit")
        })
}

/// The module, on a server of its own.
pub fn conformance() -> Builder {
    players_and_procedures(failing(keyed(one_column(tables(Server::builder())))))
}
