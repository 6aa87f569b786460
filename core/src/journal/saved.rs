//! What comes back from a store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;

use super::batch::Op;
use super::entry::Entry;
use super::fold::fold;
use super::format::{self, FORMAT, Key};
use super::{Store, StoreError};
use crate::bsatn::{self, Decode, DecodeError, Encode, Reader, Writer};
use crate::limits::Limits;
use crate::types::Identity;
use crate::wire::{RowList, TableName};

/// Whose queue and whose rows: one user of one database on one server.
#[derive(Clone, PartialEq, Eq)]
pub struct Scope {
    pub(crate) server: Box<str>,
    pub(crate) database: Box<str>,
    /// None as long as the server has not said.
    pub(crate) identity: Option<Identity>,
    /// What stands for the identity.
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
        /// What can be read.
        known: u32,
    },
}

/// Everything that a store keeps.
#[derive(Debug, Default)]
pub struct Saved {
    /// Whether the store has the format's number.
    begun: bool,
    scopes: BTreeMap<u32, Scope>,
    entries: BTreeMap<u64, Entry>,
    sets: BTreeMap<(u32, u32), Vec<Box<str>>>,
    tables: BTreeMap<(u32, Box<str>), u64>,
    rows: BTreeMap<(u32, u64), Bytes>,
    put_aside: Option<PathBuf>,
}

/// The rows of one query set, as they were.
#[derive(Debug)]
pub struct LoadedSet {
    pub(crate) number: u32,
    pub(crate) queries: Vec<Box<str>>,
    pub(crate) rows: Vec<(TableName, RowList)>,
}

/// What a store keeps of one database, for whoever opens it.
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
    /// What is to be written first.
    pub(crate) first: Vec<Op>,
    pub(crate) put_aside: Option<PathBuf>,
}

/// What another scope of the same database has.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    pub(crate) scope: u32,
    pub(crate) record: Scope,
    pub(crate) entries: Vec<Entry>,
    pub(crate) sets: Vec<u32>,
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
            None => Ok(saved),
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

    /// What there is of one database: of the user whom `token` stands for, or of the last one if there is no token.
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
        let next_scope = self.scopes.keys().next_back().map_or(0, |last| last + 1);
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
        let mut first = Vec::new();
        if !self.begun {
            first.push(Op::Format);
        }
        first.push(Op::Scope(scope, record.clone()));
        let entries = self.take_entries(scope);
        let sets = self.take_sets(scope, &mut first);
        let others = self.take_others(scope, &record);
        let tables = self.tables.into_iter().filter(|((of, _), _)| *of == scope);
        let tables = tables.map(|((_, name), fingerprint)| (name, fingerprint)).collect();
        let put_aside = self.put_aside;
        Opened { scope, record, entries, sets, tables, others, next, first, put_aside }
    }

    fn take_entries(&mut self, scope: u32) -> Vec<Entry> {
        let mine = self.entries.extract_if(.., |_, entry| entry.scope == scope);
        mine.map(|(_, entry)| entry).collect()
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
    fn take_sets(&mut self, scope: u32, first: &mut Vec<Op>) -> Vec<LoadedSet> {
        let mut log = Vec::new();
        let mut broken = false;
        for (_, record) in self.rows.range((scope, 0)..=(scope, u64::MAX)) {
            match format::decode_parts(record, &Limits::DEFAULT) {
                Ok(parts) => log.extend(parts),
                Err(_) => broken = true,
            }
        }
        let queries = self.sets.extract_if((scope, 0)..=(scope, u32::MAX), |_, _| true);
        let mut sets: BTreeMap<u32, LoadedSet> = queries
            .map(|((_, number), queries)| (number, LoadedSet { number, queries, rows: Vec::new() }))
            .collect();
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
    /// The token that stands for whoever's this is.
    pub fn token(&self) -> Option<&str> {
        self.record.token.as_deref()
    }
}

/// What is wrong with a record.
enum Wrong {
    Format(u32),
    Record,
}

impl From<DecodeError> for Wrong {
    fn from(_: DecodeError) -> Self {
        Self::Record
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
