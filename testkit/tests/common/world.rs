//! A module with a table of each kind and a function of each fate.

use lightlike::prelude::*;
use lightlike::{procedure, reducer};
use lightlike_testkit::{Builder, Server};

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "user")]
pub struct User {
    #[primary_key]
    pub identity: Identity,
    #[unique]
    pub name: String,
    #[index(btree)]
    pub level: u32,
}

impl User {
    pub fn new(number: u8, name: &str, level: u32) -> Self {
        Self { identity: identity(number), name: name.into(), level }
    }
}

/// A further table with the row of `User`.
#[derive(Table)]
#[table(name = "banned", row = User)]
pub struct Banned;

/// A view of the caller's own user.
#[derive(Table)]
#[table(name = "me", view, row = User, primary_key = identity)]
pub struct Me;

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "note")]
pub struct Note {
    #[index(btree)]
    pub level: u32,
    pub text: String,
}

impl Note {
    pub fn new(level: u32, text: &str) -> Self {
        Self { level, text: text.into() }
    }
}

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "shout", event)]
pub struct Shout {
    #[index(btree)]
    pub level: u32,
    pub text: String,
}

/// Rows of no bytes at all, of which there can only be one.
#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "nothing")]
pub struct Nothing {
    pub unit: (),
}

#[reducer]
pub fn set_name(name: String) -> Result<(), String>;
#[reducer]
pub fn set_level(name: String, level: u32) -> Result<(), String>;
#[reducer]
pub fn add_note(level: u32, text: String) -> Result<u32, String>;
#[reducer]
pub fn shout_all(texts: Vec<String>);
#[reducer]
pub fn fail() -> Result<(), String>;
#[reducer(name = "panic")]
pub fn panics();
#[procedure]
pub fn twice(number: u32) -> u32;
#[procedure]
pub fn note_twice(text: String) -> u32;

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
        .table::<Nothing>()
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
            tx.insert(Note::new(0, "half done"));
            Err("failed".into())
        })
        .reducer(|tx, Panics {}| {
            tx.insert(Note::new(0, "half done"));
            panic!("a secret")
        })
        .procedure(|_, Twice { number }| number.checked_mul(2).expect("a secret"))
        .procedure(|ctx, NoteTwice { text }| {
            ctx.with_tx(|tx| tx.insert(Note::new(1, &text)));
            ctx.with_tx(|tx| tx.insert(Note::new(2, &text)));
            2
        })
}
