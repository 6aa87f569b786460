//! Options of the generator.

use lightlike_core::schema::ServerSchema;

use crate::error::GenerateError;
use crate::generated::{Generated, GeneratedFile};
use crate::model::Model;
use crate::{client, names, print};

/// Makes source of schemas.
///
/// The same schema and options make the same bytes, whatever order the server lists things in.
#[derive(Debug, Clone)]
#[must_use = "a generator does nothing until it is given a schema"]
pub struct Generator {
    pub(crate) name: Box<str>,
    pub(crate) private: bool,
    pub(crate) client: bool,
    pub(crate) open_enums: bool,
    pub(crate) uri: Box<str>,
    pub(crate) database: Option<Box<str>>,
}

impl Default for Generator {
    fn default() -> Self {
        Self::new()
    }
}

impl Generator {
    /// A generator of one file, `module.rs`, of what clients can see.
    pub fn new() -> Self {
        Self {
            name: "module".into(),
            private: false,
            client: false,
            open_enums: false,
            uri: "http://127.0.0.1:3000".into(),
            database: None,
        }
    }

    /// Names the Rust module, and with it the file: `chat` makes `chat.rs`.
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Includes tables and views that only the database's owner can read.
    pub fn private(mut self, private: bool) -> Self {
        self.private = private;
        self
    }

    /// Adds a second file, `main.rs`, with a client to begin with: it connects, subscribes to everything and prints
    /// what changes. It is written once, and yours from then on.
    pub fn client(mut self, client: bool) -> Self {
        self.client = client;
        self
    }

    /// Gives enums whose variants have no values a last variant `Other(u8)`, marked `#[bsatn(other)]`, which keeps the
    /// tags of variants that a later version of the module adds: rows with such a variant decode then, and are kept.
    ///
    /// Enums with values do not get one, because a later variant may have a value too: add it to those by hand, with the
    /// rules of the derive `Bsatn`.
    pub fn open_enums(mut self, open: bool) -> Self {
        self.open_enums = open;
        self
    }

    /// Sets the database that the client of [`client`](Self::client) connects to: a local server, and a database called
    /// like the module, unless this says otherwise.
    pub fn database(mut self, uri: &str, database: &str) -> Self {
        self.uri = uri.into();
        self.database = Some(database.into());
        self
    }

    /// Makes one file of a schema.
    ///
    /// # Errors
    ///
    /// [`GenerateError`] if the schema has something that no Rust type can be.
    pub fn file(&self, schema: &ServerSchema) -> Result<Generated, GenerateError> {
        let model = self.model(schema)?;
        let text = print::file(&model);
        let path = format!("{}.rs", self.name).into();
        let mut files = vec![GeneratedFile { path, text, once: false }];
        files.extend(self.client_of(&model));
        Ok(Generated::new(files))
    }

    /// Makes a folder of a schema, called like the Rust module: one file a table, with the tables and views that have the
    /// same rows, one of the other types, and one each of reducers and procedures. `mod.rs` has all of them in one place.
    ///
    /// # Errors
    ///
    /// As [`file`](Self::file).
    pub fn files(&self, schema: &ServerSchema) -> Result<Generated, GenerateError> {
        let model = self.model(schema)?;
        let mut files = print::files(&model, &self.name);
        files.extend(self.client_of(&model));
        Ok(Generated::new(files))
    }

    fn model(&self, schema: &ServerSchema) -> Result<Model, GenerateError> {
        // A client is in `main.rs`.
        if !names::is_module(&self.name) || (self.client && &*self.name == "main") {
            return Err(GenerateError::ModuleName { name: self.name.clone() });
        }
        Model::new(schema, self)
    }

    fn client_of(&self, model: &Model) -> Option<GeneratedFile> {
        let file = || GeneratedFile {
            path: "main.rs".into(),
            text: client::main(model, self),
            once: true,
        };
        self.client.then(file)
    }
}
