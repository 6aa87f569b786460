//! Tables and functions, written out as the derives would write them: this crate stands below the one that has them.

use lightlike_core::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use lightlike_core::schema::{
    Column, ColumnDef, FieldDef, FunctionDef, HasIndexes, HasKey, HasUniques, IndexDef,
    IndexVisitor, Indexed, Kind, Plain, Primary, Procedure, ProductDef, Reducer, Row, RowDef, Sats,
    SatsType, Table, TableDef, TableKind, TypeRef, Unique,
};
use lightlike_core::types::Identity;
use lightlike_testkit::{Builder, Server};

/// A struct with its encoding and its type.
macro_rules! product {
    ($name:ident { $($field:ident: $ty:ty),* $(,)? }) => {
        #[derive(Debug, Clone, PartialEq, PartialOrd)]
        pub struct $name { $(pub $field: $ty),* }

        impl Encode for $name {
            #[allow(unused_variables, reason = "there may be no fields")]
            fn encode(&self, out: &mut Writer) {
                $(self.$field.encode(out);)*
            }
        }
        impl<'a> Decode<'a> for $name {
            const SIZE: Option<usize> = None;
            #[allow(unused_variables, reason = "there may be no fields")]
            fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
                Ok(Self { $($field: Decode::decode(reader)?),* })
            }
        }
        impl Sats for $name {
            const TYPE: SatsType = SatsType::Product(ProductDef {
                name: Some(stringify!($name)),
                fields: &[$(FieldDef { name: Some(stringify!($field)), ty: TypeRef::of::<$ty>() }),*],
            });
        }
    };
}

/// A row; its key is the field named behind `key`, which must be the first.
macro_rules! row {
    ($name:ident { $($field:ident: $ty:ty),* $(,)? } key $key:ident: $key_ty:ty) => {
        product!($name { $($field: $ty),* });
        impl Row for $name {
            const DEF: RowDef = RowDef {
                name: stringify!($name),
                columns: &[$(ColumnDef { name: stringify!($field), ty: TypeRef::of::<$ty>() }),*],
            };
            type Key = $key_ty;
            fn key(&self) -> &Self::Key {
                &self.$key
            }
            fn decode_key(reader: &mut Reader<'_>) -> Result<Self::Key, DecodeError> {
                Decode::decode(reader)
            }
            fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
        }
    };
    ($name:ident { $($field:ident: $ty:ty),* $(,)? }) => {
        product!($name { $($field: $ty),* });
        impl Row for $name {
            const DEF: RowDef = RowDef {
                name: stringify!($name),
                columns: &[$(ColumnDef { name: stringify!($field), ty: TypeRef::of::<$ty>() }),*],
            };
            type Key = ();
            fn key(&self) -> &() {
                &()
            }
            fn decode_key(_: &mut Reader<'_>) -> Result<(), DecodeError> {
                Ok(())
            }
            fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
        }
    };
}

macro_rules! table {
    ($marker:ty = $name:literal, $row:ty, $kind:ident, key $key:expr, unique $unique:expr, indexes $indexes:expr) => {
        impl Table for $marker {
            type Row = $row;
            const DEF: TableDef = TableDef {
                name: $name,
                kind: TableKind::$kind,
                row: <$row as Row>::DEF,
                primary_key: $key,
                unique: $unique,
                indexes: $indexes,
            };
        }
    };
}

row!(User { identity: Identity, name: String, level: u32 } key identity: Identity);
table!(User = "user", User, Table, key Some(0), unique &[0, 1], indexes &[IndexDef { columns: &[2] }]);
impl HasKey for User {}
impl HasUniques for User {}
impl HasIndexes for User {}

impl User {
    pub const IDENTITY: Column<Self, Identity, Kind<Primary, Plain>> =
        Column::new(0, "identity", |row| &row.identity);
    pub const NAME: Column<Self, String, Kind<Unique, Plain>> =
        Column::new(1, "name", |row| &row.name);
    pub const LEVEL: Column<Self, u32, Kind<Plain, Indexed>> =
        Column::new(2, "level", |row| &row.level);

    pub fn new(number: u8, name: &str, level: u32) -> Self {
        Self { identity: identity(number), name: name.into(), level }
    }
}

/// A further table with the row of `User`.
pub struct Banned;
table!(Banned = "banned", User, Table, key Some(0), unique &[0], indexes &[]);
impl HasKey for Banned {}

// Keyless.
row!(Note { level: u32, text: String });
table!(Note = "note", Note, Table, key None, unique &[], indexes &[IndexDef { columns: &[0] }]);

row!(Shout { level: u32, text: String });
table!(Shout = "shout", Shout, Event, key None, unique &[], indexes &[IndexDef { columns: &[0] }]);

/// A view of the caller's own user.
pub struct Me;
table!(Me = "me", User, View, key Some(0), unique &[0], indexes &[]);

product!(SetName { name: String });
product!(SetLevel { name: String, level: u32 });
product!(AddNote { level: u32, text: String });
product!(ShoutAll { texts: Vec<String> });
product!(Fail {});
product!(Panic {});
product!(Twice { number: u32 });
product!(NoteTwice { text: String });

macro_rules! reducer {
    ($name:ident = $wire:literal -> $ok:ty) => {
        impl Reducer for $name {
            const DEF: FunctionDef = FunctionDef {
                name: $wire,
                params: &[],
                returns: TypeRef::of::<$ok>(),
                error: Some(TypeRef::of::<String>()),
                idempotent: false,
            };
            type Ok = $ok;
            type Error = String;
        }
    };
}
reducer!(SetName = "set_name" -> ());
reducer!(SetLevel = "set_level" -> ());
reducer!(AddNote = "add_note" -> u32);
reducer!(ShoutAll = "shout_all" -> ());
reducer!(Fail = "fail" -> ());
reducer!(Panic = "panic" -> ());

macro_rules! procedure {
    ($name:ident = $wire:literal -> $output:ty) => {
        impl Procedure for $name {
            const DEF: FunctionDef = FunctionDef {
                name: $wire,
                params: &[],
                returns: TypeRef::of::<$output>(),
                error: None,
                idempotent: false,
            };
            type Output = $output;
        }
    };
}
procedure!(Twice = "twice" -> u32);
procedure!(NoteTwice = "note_twice" -> u32);

/// An identity by a number.
pub fn identity(number: u8) -> Identity {
    let mut bytes = [0; 32];
    bytes[0] = number;
    Identity::from_le_bytes(bytes)
}

/// A server with all of it.
pub fn world() -> Builder {
    Server::builder()
        .table::<User>()
        .table::<Banned>()
        .table::<Note>()
        .table::<Shout>()
        .view::<Me>(|tx| tx.find(User::IDENTITY, &tx.sender()).into_iter().collect())
        .reducer(|tx, SetName { name }| {
            if name.is_empty() {
                return Err("Names must not be empty".into());
            }
            tx.upsert(User { identity: tx.sender(), name, level: 1 });
            Ok(())
        })
        .reducer(|tx, SetLevel { name, level }| {
            let user = tx.find(User::NAME, name.as_str()).ok_or("no such user")?;
            tx.update(User { level, ..user });
            Ok(())
        })
        .reducer(|tx, AddNote { level, text }| {
            tx.insert(Note { level, text });
            Ok(tx.len::<Note>() as u32)
        })
        .reducer(|tx, ShoutAll { texts }| {
            for text in texts {
                tx.insert(Shout { level: 1, text });
            }
            Ok(())
        })
        .reducer(|tx, Fail {}| {
            tx.insert(Note { level: 0, text: "half done".into() });
            Err("failed".into())
        })
        .reducer(|tx, Panic {}| {
            tx.insert(Note { level: 0, text: "half done".into() });
            panic!("a secret")
        })
        .procedure(|_, Twice { number }| number.checked_mul(2).expect("too large"))
        .procedure(|ctx, NoteTwice { text }| {
            ctx.with_tx(|tx| tx.insert(Note { level: 1, text: text.clone() }));
            ctx.with_tx(|tx| tx.insert(Note { level: 2, text: text.clone() }));
            2
        })
}
