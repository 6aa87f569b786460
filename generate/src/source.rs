//! Schemas of modules that are published nowhere yet. Feature `http`.
//!
//! Only a server can say what a module has: it is published under a name of the moment, asked, and deleted.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use lightlike::http::{self, Http, Publish};
use lightlike_core::schema::ServerSchema;
use tokio::process::Command;

/// A module: the folder of its source, or the WebAssembly that was built of it.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use lightlike::http::Http;
/// use lightlike_generate::{Generator, ModuleSource};
///
/// let http = Http::new("http://127.0.0.1:3000")?;
/// let token = http.create_identity().await?.token;
/// let schema = ModuleSource::new("server").schema(&http.with_token(token)).await?;
/// Generator::new().name("chat").file(&schema)?.write_to("client/src")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ModuleSource {
    path: PathBuf,
    cargo: OsString,
    options: Publish,
}

/// Errors of getting the schema of a module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file or the folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or the folder.
        path: PathBuf,
        /// Error of the system.
        r#source: io::Error,
    },
    /// A folder without a package of Rust.
    #[error("{} has no Cargo.toml: build the module, and give the .wasm file", path.display())]
    NoPackage {
        /// The folder.
        path: PathBuf,
    },
    /// A file of another kind.
    #[error("{} is no WebAssembly module", path.display())]
    NoModule {
        /// The file.
        path: PathBuf,
    },
    /// Cargo cannot be run.
    #[error("cannot run {}: {source}", cargo.display())]
    NoCargo {
        /// The program.
        cargo: OsString,
        /// Error of the system.
        r#source: io::Error,
    },
    /// The module does not build.
    #[error("{} does not build: {message}", path.display())]
    Build {
        /// The folder.
        path: PathBuf,
        /// The end of what cargo said.
        message: Box<str>,
    },
    /// The package made no WebAssembly module.
    #[error("{} builds, and makes no .wasm file: a module is a `cdylib`", path.display())]
    NoArtifact {
        /// The folder.
        path: PathBuf,
    },
    /// The server did not take it, or did not tell.
    #[error("cannot {verb} the module as `{database}`: {source}")]
    Server {
        /// Operation that failed.
        verb: &'static str,
        /// The name of the moment. It may be left on the server if it could not be deleted.
        database: Box<str>,
        /// Error of the request.
        r#source: http::Error,
    },
}

impl ModuleSource {
    /// The module at a path: a `.wasm` file, or the folder of a Rust package that is one.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self { path: path.into(), cargo, options: Publish::default() }
    }

    /// The cargo that builds a folder: the one that runs us, or else `cargo`, unless this says otherwise.
    pub fn cargo(mut self, program: impl Into<OsString>) -> Self {
        self.cargo = program.into();
        self
    }

    /// Sets an environment variable for as long as the module is published. One that requires some is not taken without.
    ///
    /// ```
    /// use lightlike_generate::ModuleSource;
    ///
    /// let module = ModuleSource::new("server").environment("API_KEY", "any");
    /// # let _ = module;
    /// ```
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.options = self.options.environment(name, value);
        self
    }

    /// The module as WebAssembly. A folder is built for it, in release.
    ///
    /// # Errors
    ///
    /// Any [`SourceError`] but [`Server`](SourceError::Server).
    pub async fn wasm(&self) -> Result<Vec<u8>, SourceError> {
        let found = std::fs::metadata(&self.path).map_err(|source| self.unreadable(source))?;
        let file = if found.is_dir() { self.build().await? } else { self.path.clone() };
        let read = |source| SourceError::Read { path: file.clone(), source };
        let wasm = std::fs::read(&file).map_err(read)?;
        if wasm.starts_with(b"\0asm") {
            Ok(wasm)
        } else {
            Err(SourceError::NoModule { path: file })
        }
    }

    /// The module's schema, from a server that it is published to for as long as that takes. `http` presents the token of
    /// somebody who may publish there.
    ///
    /// # Errors
    ///
    /// Any [`SourceError`].
    ///
    /// # Cancel safety
    ///
    /// If this is dropped, the module may stay on the server, under a name that starts with `lightlike-scratch-`.
    pub async fn schema(&self, http: &Http) -> Result<ServerSchema, SourceError> {
        let wasm = self.wasm().await?;
        let database = scratch_name().map_err(|source| self.unreadable(source))?;
        let failed = |verb| {
            let database = database.clone();
            move |source| SourceError::Server { verb, database, source }
        };
        http.publish(&database, wasm, self.options.clone()).await.map_err(failed("publish"))?;
        let schema = http.schema(&database).await;
        // Whatever came of it, nothing stays.
        http.delete(&database).await.map_err(failed("delete"))?;
        schema.map_err(failed("ask about"))
    }

    fn unreadable(&self, source: io::Error) -> SourceError {
        SourceError::Read { path: self.path.clone(), source }
    }

    /// Builds the package and says where its module is.
    async fn build(&self) -> Result<PathBuf, SourceError> {
        let path = &self.path;
        let manifest = path.join("Cargo.toml");
        if !manifest.is_file() {
            return Err(SourceError::NoPackage { path: path.clone() });
        }
        let output = Command::new(&self.cargo)
            .args(["build", "--release", "--target", "wasm32-unknown-unknown"])
            .args(["--message-format", "json-render-diagnostics"])
            .current_dir(path)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        let output =
            output.map_err(|source| SourceError::NoCargo { cargo: self.cargo.clone(), source })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
            let end = lines.len().saturating_sub(20);
            let message = lines[end..].join("\n").into();
            return Err(SourceError::Build { path: path.clone(), message });
        }
        let manifest = manifest.canonicalize().map_err(|source| self.unreadable(source))?;
        let messages = String::from_utf8_lossy(&output.stdout);
        let artifact = messages.lines().rev().find_map(|line| artifact(line, &manifest));
        artifact.ok_or_else(|| SourceError::NoArtifact { path: path.clone() })
    }
}

/// The module that a message of cargo's says was made of a package.
fn artifact(message: &str, manifest: &Path) -> Option<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Message {
        reason: String,
        #[serde(default)]
        manifest_path: PathBuf,
        #[serde(default)]
        filenames: Vec<PathBuf>,
    }
    let message: Message = serde_json::from_str(message).ok()?;
    if message.reason != "compiler-artifact" || message.manifest_path != manifest {
        return None;
    }
    let wasm = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    message.filenames.into_iter().find(wasm)
}

/// A name that nobody has.
fn scratch_name() -> io::Result<Box<str>> {
    let random = getrandom::u64().map_err(io::Error::from)?;
    Ok(format!("lightlike-scratch-{random:016x}").into())
}
