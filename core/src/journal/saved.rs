//! Contents of a store, read back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;

use super::batch::Op;
use super::entry::{Entry, EntryState, Failure};
use super::fold::fold;
use super::format::{self, FORMAT, Key};
use super::loss::Doubts;
use super::{Store, StoreError};
use crate::bsatn::{self, Decode, DecodeError, Encode, Reader, Writer};
use crate::limits::Limits;
use crate::types::{Identity, Timestamp};
use crate::wire::{RowList, TableName};

/// Scope of a queue and of rows: one user of one database on one server.
#[derive(Clone, PartialEq, Eq)]
pub struct Scope {
    pub(crate) server: Box<str>,
    pub(crate) database: Box<str>,
    /// None as long as the server has not said.
    pub(crate) identity: Option<Identity>,
    /// Token of the identity.
    pub(crate) token: Option<Box<str>>,
    /// Grows with each use: the greatest was the last.
    pub(crate) used: u64,
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is a secret.
        f.debug_struct("Scope")
            .field("server", &self.server)
            .field("database", &self.database)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// A query set whose rows are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRecord {
    /// Queries that were asked for.
    pub(crate) queries: Vec<Box<str>>,
    /// Time of day at which a run first was ready without having asked for it, after the last that had.
    pub(crate) unclaimed_since: Option<Timestamp>,
}

/// A store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A later version of this library wrote it.
    #[error(
        "the offline store is of format {found}, and this version reads format {known}; a later version wrote it"
    )]
    Format {
        /// Its format.
        found: u32,
        /// Scopes that can be read.
        known: u32,
    },
}

/// Everything that a store keeps.
#[derive(Debug, Default)]
pub struct Saved {
    /// `true` if the store has the format's number.
    begun: bool,
    scopes: BTreeMap<u32, Scope>,
    entries: BTreeMap<u64, Entry>,
    sets: BTreeMap<(u32, u32), SetRecord>,
    tables: BTreeMap<(u32, Box<str>), u64>,
    rows: BTreeMap<(u32, u64), Bytes>,
    put_aside: Option<PathBuf>,
    /// What follows from a loss, to be written with what is written first.
    amends: Vec<Op>,
}

/// The rows of one query set, as they were.
#[derive(Debug)]
pub struct LoadedSet {
    pub(crate) number: u32,
    pub(crate) record: SetRecord,
    pub(crate) rows: Vec<(TableName, RowList)>,
}

/// Contents of a store for one database.
#[derive(Debug)]
pub struct Opened {
    pub(crate) scope: u32,
    pub(crate) record: Scope,
    /// Oldest first.
    pub(crate) entries: Vec<Entry>,
    pub(crate) sets: Vec<LoadedSet>,
    pub(crate) tables: BTreeMap<Box<str>, u64>,
    /// Other users of the same database.
    pub(crate) others: Vec<Elsewhere>,
    pub(crate) next: Next,
    pub(crate) log: LogLength,
    /// Operations to be written first.
    pub(crate) first: Vec<Op>,
    pub(crate) put_aside: Option<PathBuf>,
}

/// Another scope of the same database.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    pub(crate) scope: u32,
    pub(crate) record: Scope,
    pub(crate) entries: Vec<Entry>,
    pub(crate) sets: Vec<u32>,
}

/// Length of the logs of rows of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogLength {
    /// Bytes of all records.
    pub bytes: usize,
    /// Bytes of them that are of use: what compacting would leave.
    pub live: usize,
}

/// Numbers that are free.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Next {
    pub(crate) entry: u64,
    pub(crate) rows: u64,
    pub(crate) set: u32,
}

impl Saved {
    /// Reads everything. What makes no sense is put aside, all of it.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the store fails or is of another format.
    pub fn load(store: &mut dyn Store) -> Result<Self, LoadError> {
        let mut saved = Self::default();
        let mut wrong = None;
        store.load(&mut |key, value| {
            if let Err(why) = saved.see(key, value) {
                wrong = wrong.take().or(Some(why));
            }
        })?;
        saved.put_aside = store.damaged();
        match wrong {
            None => {
                let loss = store.loss();
                if !loss.is_none() {
                    saved.account_for(&Doubts::of(&loss));
                }
                Ok(saved)
            }
            Some(Wrong::Format(found)) => Err(LoadError::Format { found, known: FORMAT }),
            Some(Wrong::Record) => Ok(Self { put_aside: store.put_aside()?, ..Self::default() }),
        }
    }

    fn see(&mut self, key: &[u8], value: Bytes) -> Result<(), Wrong> {
        match Key::parse(key).ok_or(Wrong::Record)? {
            Key::Format => match bsatn::from_slice(&value)? {
                FORMAT => self.begun = true,
                found => return Err(Wrong::Format(found)),
            },
            Key::Scope(scope) => drop(self.scopes.insert(scope, bsatn::from_slice(&value)?)),
            Key::Entry(seq) => {
                let entry: Entry = bsatn::from_slice(&value)?;
                if entry.seq != seq {
                    return Err(Wrong::Record);
                }
                self.entries.insert(seq, entry);
            }
            Key::Set(scope, set) => {
                self.sets.insert((scope, set), bsatn::from_slice(&value)?);
            }
            Key::Table(scope, name) => {
                self.tables.insert((scope, name.into()), bsatn::from_slice(&value)?);
            }
            Key::Rows(scope, number) => drop(self.rows.insert((scope, number), value)),
        }
        Ok(())
    }

    /// Takes records that are in doubt for what they may have become, so that nothing happens twice and nothing is shown that
    /// never was.
    ///
    /// - A call that is kept as not sent may have been sent, or answered. It counts as sent: one that must not run twice
    ///   ends as [unknown](Failure::Unknown), one that may is sent again, and one with a probe is asked about first.
    /// - Rows are a log, and a log with a hole comes to rows that never were together: they are dropped.
    /// - A scope that is kept without an identity may have got one. Its calls are not sent as somebody else's: they are dead
    ///   letters.
    fn account_for(&mut self, doubts: &Doubts) {
        let queued = |entry: &Entry| entry.state == EntryState::Queued;
        for seq in &doubts.calls {
            if let Some(entry) = self.entries.get_mut(seq).filter(|entry| queued(entry)) {
                entry.state = EntryState::Sent;
                self.amends.push(Op::Entry(Box::new(entry.clone())));
            }
        }
        let holed = self.sets.keys().filter(|(scope, _)| doubts.is_holed(*scope));
        for (scope, set) in holed.copied().collect::<Vec<_>>() {
            self.sets.remove(&(scope, set));
            self.amends.push(Op::ForgetSet { scope, set });
        }
        let scopes = doubts.scopes.iter().filter_map(|of| Some((*of, self.scopes.get(of)?)));
        let nameless = scopes.filter(|(_, scope)| scope.identity.is_none());
        for scope in nameless.map(|(of, _)| of).collect::<Vec<_>>() {
            let letters = self.bury(scope, |entry| entry.scope == scope);
            self.amends.extend(letters);
        }
    }

    /// Makes calls of which nobody knows whose they are into dead letters of a scope.
    fn bury(&mut self, scope: u32, which: impl Fn(&Entry) -> bool) -> Vec<Op> {
        let mut letters = Vec::new();
        for entry in self.entries.values_mut().filter(|entry| which(entry)) {
            if !matches!(entry.state, EntryState::Dead(_)) {
                entry.state = EntryState::Dead(Failure::Unknown);
            }
            entry.scope = scope;
            letters.push(Op::Entry(Box::new(entry.clone())));
        }
        letters
    }

    /// A number that no scope has, and none had of which the record is lost.
    fn next_scope(&self) -> u32 {
        let of_entries = self.entries.values().map(|entry| entry.scope);
        let of_rows = self.rows.keys().map(|(scope, _)| *scope);
        let of_sets = self.sets.keys().map(|(scope, _)| *scope);
        let of_tables = self.tables.keys().map(|(scope, _)| *scope);
        let used = self.scopes.keys().copied().chain(of_entries).chain(of_rows);
        used.chain(of_sets).chain(of_tables).max().map_or(0, |last| last + 1)
    }

    /// Reads the scope of one database: of the user whom `token` stands for, or of the last one if there is no token.
    ///
    /// A token that is not known may be anybody's, so nothing is shown for it before the server has said whose it is.
    pub fn open(mut self, server: &str, database: &str, token: Option<&str>) -> Opened {
        let here: Vec<u32> = {
            let mut here: Vec<_> = self
                .scopes
                .iter()
                .filter(|(_, scope)| &*scope.server == server && &*scope.database == database)
                .filter(|(_, scope)| token.is_none() || scope.token.as_deref() == token)
                .collect();
            here.sort_by_key(|(_, scope)| scope.used);
            here.into_iter().map(|(number, _)| *number).collect()
        };
        let used = self.scopes.values().map(|scope| scope.used).max().unwrap_or(0) + 1;
        let next_scope = self.next_scope();
        let (scope, mut record) = match here.last() {
            Some(number) => (*number, self.scopes[number].clone()),
            None => (
                next_scope,
                Scope {
                    server: server.into(),
                    database: database.into(),
                    identity: None,
                    token: token.map(Box::from),
                    used,
                },
            ),
        };
        record.used = used;
        let next = Next {
            entry: self.entries.keys().next_back().map_or(0, |last| last + 1),
            // One is left free for what is written first.
            rows: self.rows.keys().map(|(_, number)| number + 2).max().unwrap_or(0),
            set: self.sets.keys().map(|(_, set)| set + 1).max().unwrap_or(0),
        };
        let mut first = std::mem::take(&mut self.amends);
        if !self.begun {
            first.push(Op::Format);
        }
        first.push(Op::Scope(scope, record.clone()));
        // Calls of which the scope is lost: somebody has to hear of them.
        let known: BTreeSet<u32> = self.scopes.keys().copied().chain([scope]).collect();
        first.extend(self.bury(scope, |entry| !known.contains(&entry.scope)));
        let entries = self.take_entries(scope);
        let sets = self.take_sets(scope, &mut first);
        let log = self.log_length(scope, &sets);
        let others = self.take_others(scope, &record);
        let tables = self.tables.into_iter().filter(|((of, _), _)| *of == scope);
        let tables = tables.map(|((_, name), fingerprint)| (name, fingerprint)).collect();
        let put_aside = self.put_aside;
        Opened { scope, record, entries, sets, tables, others, next, log, first, put_aside }
    }

    /// Length of the logs, of which that of `scope` comes to `sets`. Nothing is known of what those of others come to.
    fn log_length(&self, scope: u32, sets: &[LoadedSet]) -> LogLength {
        let bytes = |of_others: bool| -> usize {
            let records = self.rows.iter().filter(|((of, _), _)| !of_others || *of != scope);
            records.map(|(_, record)| record.len()).sum()
        };
        let rows = sets.iter().flat_map(|set| &set.rows);
        let live: usize = rows.map(|(_, rows)| rows.encoded().len()).sum();
        LogLength { bytes: bytes(false), live: live + bytes(true) }
    }

    fn take_entries(&mut self, scope: u32) -> Vec<Entry> {
        let entries = std::mem::take(&mut self.entries).into_values();
        let (mine, others): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.scope == scope);
        self.entries = others.into_iter().map(|entry| (entry.seq, entry)).collect();
        mine
    }

    fn take_others(&mut self, scope: u32, record: &Scope) -> Vec<Elsewhere> {
        let here =
            |other: &Scope| other.server == record.server && other.database == record.database;
        let others =
            self.scopes.clone().into_iter().filter(|(of, other)| *of != scope && here(other));
        let others = others.map(|(of, record)| Elsewhere {
            scope: of,
            record,
            entries: self.take_entries(of),
            sets: self.sets.keys().filter(|(at, _)| *at == of).map(|(_, set)| *set).collect(),
        });
        others.collect()
    }

    /// The rows of a scope, by set. A log that makes no sense is dropped: rows are a copy of the server's.
    fn take_sets(&self, scope: u32, first: &mut Vec<Op>) -> Vec<LoadedSet> {
        let mut log = Vec::new();
        let mut broken = false;
        for (_, record) in self.rows.range((scope, 0)..=(scope, u64::MAX)) {
            match format::decode_parts(record, &Limits::DEFAULT) {
                Ok(parts) => log.extend(parts),
                Err(_) => broken = true,
            }
        }
        let records = self.sets.range((scope, 0)..=(scope, u32::MAX));
        let loaded = records.map(|((_, number), record)| {
            let set = LoadedSet { number: *number, record: record.clone(), rows: Vec::new() };
            (*number, set)
        });
        let mut sets: BTreeMap<u32, LoadedSet> = loaded.collect();
        let mut nameless = BTreeSet::new();
        if broken {
            for number in std::mem::take(&mut sets).into_keys() {
                first.push(Op::ForgetSet { scope, set: number });
            }
        }
        for (number, table, rows) in fold(log) {
            match sets.get_mut(&number) {
                Some(set) => set.rows.push((table, rows)),
                None => drop(nameless.insert(number)),
            }
        }
        if !nameless.is_empty() {
            let number = self.rows.range(..=(scope, u64::MAX)).next_back();
            let number = number.map_or(0, |((_, number), _)| number + 1);
            let parts = nameless.into_iter().map(super::KeptPart::Drop).collect();
            first.push(Op::Rows { scope, number, parts });
        }
        sets.into_values().collect()
    }
}

impl Opened {
    /// Length of the store's logs of rows.
    pub fn log_length(&self) -> LogLength {
        self.log
    }

    /// The token that stands for whoever's this is.
    pub fn token(&self) -> Option<&str> {
        self.record.token.as_deref()
    }
}

/// Error of a record.
enum Wrong {
    Format(u32),
    Record,
}

impl From<DecodeError> for Wrong {
    fn from(_: DecodeError) -> Self {
        Self::Record
    }
}

/// Without the second field where there is none, as earlier versions wrote it.
impl Encode for SetRecord {
    fn encode(&self, out: &mut Writer) {
        self.queries.encode(out);
        if let Some(since) = self.unclaimed_since {
            since.encode(out);
        }
    }
}

impl<'de> Decode<'de> for SetRecord {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        let queries = Vec::decode(reader)?;
        let unclaimed_since =
            if reader.is_empty() { None } else { Some(Timestamp::decode(reader)?) };
        Ok(Self { queries, unclaimed_since })
    }
}

impl Encode for Scope {
    fn encode(&self, out: &mut Writer) {
        self.server.encode(out);
        self.database.encode(out);
        self.identity.encode(out);
        self.token.encode(out);
        self.used.encode(out);
    }
}

impl<'de> Decode<'de> for Scope {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        Ok(Self {
            server: Box::decode(reader)?,
            database: Box::decode(reader)?,
            identity: Option::decode(reader)?,
            token: Option::decode(reader)?,
            used: u64::decode(reader)?,
        })
    }
}
