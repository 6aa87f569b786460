//! Registry of databases, their owners and names.

use serde::{Deserialize, Serialize};
use spacetimedb::messages::control_db::{Database, HostType};
use spacetimedb_lib::{Hash, Identity};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// A database.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The engine's number for it. A cleared database gets another, and keeps the rest.
    pub(crate) id: u64,
    pub(crate) identity: Identity,
    pub(crate) owner: Identity,
    /// Hash of the program that it was made from, in hex.
    initial_program: String,
    pub(crate) names: Vec<String>,
}

impl Record {
    /// The program that it was made from.
    pub(crate) fn initial_program(&self) -> Hash {
        Hash::from_hex(&self.initial_program).expect("a record's program is a hash in hex")
    }

    /// The same database under other names.
    pub(super) fn named(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }

    /// The form that the engine knows.
    pub(crate) fn database(&self) -> Database {
        Database {
            id: self.id,
            database_identity: self.identity,
            owner_identity: self.owner,
            host_type: HostType::Wasm,
            initial_program: self.initial_program(),
            bootstrap_generation: 0,
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Contents {
    last_id: u64,
    databases: Vec<Record>,
}

/// All databases, and the file that keeps them.
pub(crate) struct Registry {
    contents: Mutex<Contents>,
    file: Option<PathBuf>,
}

impl Registry {
    /// Reads what the folder holds; without a folder there is nothing, and nothing is kept.
    pub(crate) fn open(folder: Option<&Path>) -> anyhow::Result<Self> {
        let file = folder.map(|folder| folder.join("databases.json"));
        let contents = match &file {
            Some(file) if file.exists() => serde_json::from_slice(&fs::read(file)?)?,
            _ => Contents::default(),
        };
        Ok(Self { contents: Mutex::new(contents), file })
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("nothing panics under this lock")
    }

    /// Writes the whole file anew beside the old one, then takes its place.
    fn save(&self, contents: &Contents) -> anyhow::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let fresh = file.with_extension("new");
        fs::write(&fresh, serde_json::to_vec_pretty(contents)?)?;
        Ok(fs::rename(fresh, file)?)
    }

    /// A record for a database that is still to be made; `insert` makes it known.
    pub(crate) fn draft(
        &self,
        name: Option<&str>,
        identity: Identity,
        owner: Identity,
        program: Hash,
    ) -> Record {
        let mut contents = self.contents();
        contents.last_id += 1;
        let names = name.into_iter().map(str::to_owned).collect();
        Record {
            id: contents.last_id,
            identity,
            owner,
            initial_program: program.to_hex().to_string(),
            names,
        }
    }

    /// Makes a database known, in place of the one with its identity.
    pub(crate) fn insert(&self, record: Record) -> anyhow::Result<()> {
        let mut contents = self.contents();
        contents.databases.retain(|old| old.identity != record.identity);
        contents.databases.push(record);
        self.save(&contents)
    }

    pub(crate) fn remove(&self, id: u64) -> anyhow::Result<()> {
        let mut contents = self.contents();
        contents.databases.retain(|record| record.id != id);
        self.save(&contents)
    }

    /// Finds a database by a name or by its identity in hex.
    pub(crate) fn find(&self, name_or_identity: &str) -> Option<Record> {
        let identity = Identity::from_hex(name_or_identity).ok();
        let is_meant = |record: &&Record| match identity {
            Some(identity) => record.identity == identity,
            None => record.names.iter().any(|name| name == name_or_identity),
        };
        self.contents().databases.iter().find(is_meant).cloned()
    }

    /// Every database, in the order of their making.
    pub(crate) fn all(&self) -> Vec<Record> {
        self.contents().databases.clone()
    }

    /// Gives a database these names beside those that it has, or instead of them. The first name that is taken is the error.
    pub(crate) fn name(
        &self,
        id: u64,
        names: Vec<String>,
        instead: bool,
    ) -> anyhow::Result<Result<(), String>> {
        let mut contents = self.contents();
        let taken =
            |name: &String| contents.databases.iter().any(|record| record.names.contains(name));
        if let Some(name) = names.iter().find(|name| taken(name)) {
            return Ok(Err(name.clone()));
        }
        if let Some(record) = contents.databases.iter_mut().find(|record| record.id == id) {
            if instead {
                record.names.clear();
            }
            record.names.extend(names);
        }
        self.save(&contents)?;
        Ok(Ok(()))
    }
}
