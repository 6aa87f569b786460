//! The rows as they ought to be, and what a mutation does to them.

use std::collections::{BTreeMap, BTreeSet};

use lightlike_core::cache::{LocalTx, MutationId, TempId as _, Transaction, View};

use super::histories::Write;
use crate::support::*;

/// The rows of both tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) players: BTreeMap<u64, Player>,
    pub(super) messages: BTreeSet<Message>,
}

impl Rows {
    pub(super) fn of(view: &View) -> Self {
        let players = rows_in::<Player>(view).into_iter().map(|row| (row.id, row)).collect();
        Self { players, messages: rows_in::<Message>(view).into_iter().collect() }
    }

    /// The player of this name; of several, the one whose encoding is least.
    pub(super) fn named(&self, name: u64) -> Option<&Player> {
        let name = format!("player {name}");
        let named = self.players.values().filter(|row| row.name == name);
        named.min_by_key(|row| bytes(*row))
    }

    /// Runs a mutation; false, and half of it, if it fails.
    pub(super) fn run(&mut self, mutation: MutationId, writes: &[Write]) -> bool {
        let mut temps = 0;
        for write in writes {
            match *write {
                Write::Put(id, score) => drop(self.players.insert(id, player(id, score))),
                Write::Insert(id, score) => {
                    if self.players.insert(id, player(id, score)).is_some() {
                        return false;
                    }
                }
                Write::Update(id, score) => {
                    if self.players.insert(id, player(id, score)).is_none() {
                        return false;
                    }
                }
                Write::Remove(id) => drop(self.players.remove(&id)),
                Write::Increment(id) => {
                    if let Some(row) = self.players.get_mut(&id) {
                        row.score += 1;
                    }
                }
                Write::Top(id) => {
                    let top = self.players.values().map(|row| row.score).max().unwrap_or(0);
                    self.players.insert(id, player(id, top + 1));
                }
                Write::Copy(from, to) => {
                    if let Some(score) = self.players.get(&from).map(|row| row.score) {
                        self.players.insert(to, player(to, score));
                    }
                }
                Write::Follow(id) => {
                    let to = self.players.get(&id).map_or(0, |row| row.score);
                    self.players.insert(to.into(), player(to.into(), to + 1));
                }
                Write::Alias(id, other) => drop(self.players.insert(id, alias(id, other))),
                Write::Named(name, to) => {
                    if let Some(score) = self.named(name).map(|row| row.score) {
                        self.players.insert(to, player(to, score));
                    }
                }
                Write::Count(id) => {
                    let count = self.messages.len() as u32;
                    self.players.insert(id, player(id, count));
                }
                Write::Unless(id) => {
                    if self.named(id).is_some() {
                        return false;
                    }
                }
                Write::Given(id) => {
                    if !self.players.contains_key(&id) {
                        return true;
                    }
                }
                Write::RemoveNamed(name) => {
                    if let Some(id) = self.named(name).map(|row| row.id) {
                        self.players.remove(&id);
                    }
                }
                Write::Temp(score) => {
                    let id = u64::temp_id(mutation.0, temps);
                    temps += 1;
                    self.players.insert(id, player(id, score));
                }
                Write::Say(sender) => {
                    self.messages.insert(message(sender, "hi"));
                }
                Write::Unsay(sender) => {
                    self.messages.remove(&message(sender, "hi"));
                }
            }
        }
        true
    }

    /// Applies a transaction to them.
    pub(super) fn follow(&mut self, tx: &Transaction) {
        let mut seen = BTreeSet::new();
        for change in changes::<Player>(tx) {
            let (Seen::Insert(row) | Seen::Update(row, _) | Seen::Delete(row)) = &change else {
                panic!("{change:?}");
            };
            assert!(seen.insert(row.id), "one row changed twice: {change:?}");
            match change {
                Seen::Insert(row) => assert_eq!(self.players.insert(row.id, row), None),
                Seen::Update(old, new) => {
                    assert_ne!(old, new, "nothing changed");
                    assert_eq!(self.players.insert(new.id, new), Some(old));
                }
                Seen::Delete(row) => assert_eq!(self.players.remove(&row.id), Some(row)),
                Seen::Event(row) => panic!("{row:?}"),
            }
        }
        for change in changes::<Message>(tx) {
            match change {
                Seen::Insert(row) => assert!(self.messages.insert(row)),
                Seen::Delete(row) => assert!(self.messages.remove(&row)),
                other => panic!("{other:?}"),
            }
        }
    }
}

pub(super) fn mutation(writes: Vec<Write>) -> impl Fn(&mut LocalTx) + Send {
    move |tx| {
        for write in &writes {
            match *write {
                Write::Put(id, score) => tx.upsert(player(id, score)),
                Write::Insert(id, score) => tx.insert(player(id, score)),
                Write::Update(id, score) => tx.update(player(id, score)),
                Write::Remove(id) => {
                    tx.delete_by(Player::ID, &id);
                }
                Write::Increment(id) => {
                    if let Some(row) = tx.find(Player::ID, &id) {
                        let row = Player { score: row.score + 1, ..row.clone() };
                        tx.update(row);
                    }
                }
                Write::Top(id) => {
                    let top = tx.iter::<Player>().map(|row| row.score).max().unwrap_or(0);
                    tx.upsert(player(id, top + 1));
                }
                Write::Copy(from, to) => {
                    if let Some(score) = tx.find(Player::ID, &from).map(|row| row.score) {
                        tx.upsert(player(to, score));
                    }
                }
                Write::Follow(id) => {
                    let to = tx.find(Player::ID, &id).map_or(0, |row| row.score);
                    tx.upsert(player(to.into(), to + 1));
                }
                Write::Alias(id, other) => tx.upsert(alias(id, other)),
                Write::Named(name, to) => {
                    let name = format!("player {name}");
                    if let Some(score) = tx.find(Player::NAME, &name).map(|row| row.score) {
                        tx.upsert(player(to, score));
                    }
                }
                Write::Count(id) => {
                    let count = tx.iter::<Message>().count() as u32;
                    tx.upsert(player(id, count));
                }
                Write::Unless(id) => {
                    let name = format!("player {id}");
                    if tx.find(Player::NAME, &name).is_some() {
                        tx.fail("there is one");
                    }
                }
                Write::Given(id) => {
                    if tx.find(Player::ID, &id).is_none() {
                        return;
                    }
                }
                Write::RemoveNamed(name) => {
                    tx.delete_by(Player::NAME, &format!("player {name}"));
                }
                Write::Temp(score) => {
                    let id = tx.temp_id();
                    tx.insert(player(id, score));
                }
                Write::Say(sender) => tx.insert(message(sender, "hi")),
                Write::Unsay(sender) => {
                    tx.delete(&message(sender, "hi"));
                }
            }
        }
    }
}

/// A player with another one's name.
pub(super) fn alias(id: u64, other: u64) -> Player {
    Player { name: format!("player {other}"), ..player(id, 1) }
}
