//! The engine, its databases, and the keys that tokens are signed with.

mod environments;
pub(crate) mod keys;
mod publish;
mod registry;

pub(crate) use registry::{Record, Registry};

use environments::Environments;
use keys::Keys;
use spacetimedb::client::ClientActorIndex;
use spacetimedb::config::{ModuleHttpConfig, V8Config, WasmConfig};
use spacetimedb::db::persistence::LocalPersistenceProvider;
use spacetimedb::db::{Config, Storage};
use spacetimedb::energy::NullEnergyMonitor;
use spacetimedb::host::{HostController, HostRuntimeConfig, IdcConfig, ModuleHost};
use spacetimedb::util::jobs::JobCores;
use spacetimedb_lib::Hash;
use spacetimedb_paths::FromPathUnchecked as _;
use spacetimedb_paths::server::ServerDataDir;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::mpsc;

/// Time that a database may take to end, and sockets to say goodbye.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Folder of compiled modules, below the engine's.
const COMPILED: &str = "cache";

/// Programs that were published. The engine asks for them by hash when it launches a database without one.
type Programs = Arc<Mutex<HashMap<Hash, Box<[u8]>>>>;

/// One server.
pub(crate) struct Node {
    host: HostController,
    pub(crate) keys: Keys,
    pub(crate) registry: Registry,
    pub(crate) clients: ClientActorIndex,
    programs: Programs,
    environments: Arc<Environments>,
    /// Each WebSocket holds a clone: when the last is dropped, `sockets_ended` knows.
    sockets: Mutex<Option<mpsc::Sender<Infallible>>>,
    sockets_ended: tokio::sync::Mutex<mpsc::Receiver<Infallible>>,
}

impl Node {
    /// Starts the engine, which runs modules from now on and is reachable by them at `port`.
    ///
    /// With a data folder everything is kept there over a restart: databases, names, keys. Without one everything is in
    /// memory and ends with the process. Compiled modules, which take seconds to make, stay in the cache folder either way.
    pub(crate) fn start(
        port: u16,
        cache_dir: &Path,
        data_dir: Option<&Path>,
    ) -> anyhow::Result<Arc<Self>> {
        let storage = if data_dir.is_some() { Storage::Disk } else { Storage::Memory };
        let folder = data_dir.unwrap_or(cache_dir);
        share_compiled_modules(cache_dir, folder)?;
        let keys = Keys::open(data_dir)?;
        let programs = Programs::default();
        let environments = Arc::new(Environments::default());
        let host = engine(storage, folder, programs.clone())
            .with_initial_environment_source(environments.clone());
        // Modules that call each other's reducers need it; databases refuse to start without.
        host.set_idc_config(IdcConfig { http_port: port, token_signer: Arc::new(keys.signer()) })?;
        let (sockets, sockets_ended) = mpsc::channel(1);
        Ok(Arc::new(Self {
            host,
            keys,
            registry: Registry::open(data_dir)?,
            clients: ClientActorIndex::new(),
            programs,
            environments,
            sockets: Mutex::new(Some(sockets)),
            sockets_ended: tokio::sync::Mutex::new(sockets_ended),
        }))
    }

    /// The running module of a database, launched from disk when this process has not yet.
    pub(crate) async fn module(&self, record: &Record) -> anyhow::Result<ModuleHost> {
        self.host.get_or_launch_module_host(record.database(), record.id).await
    }

    /// The running module, and every later one of the same database.
    pub(crate) async fn watch_module(
        &self,
        record: &Record,
    ) -> anyhow::Result<tokio::sync::watch::Receiver<ModuleHost>> {
        self.host.watch_maybe_launch_module_host(record.database(), record.id).await
    }

    fn programs(&self) -> MutexGuard<'_, HashMap<Hash, Box<[u8]>>> {
        self.programs.lock().expect("nothing panics under this lock")
    }

    /// Guard that a socket holds as long as it lives. `None` once the server is stopping.
    pub(crate) fn socket_guard(&self) -> Option<mpsc::Sender<Infallible>> {
        self.sockets.lock().expect("nothing panics under this lock").clone()
    }

    /// Ends a database and, with it, its connections.
    pub(crate) async fn delete(&self, record: &Record) -> anyhow::Result<()> {
        self.registry.remove(record.id)?;
        self.host.exit_module_host(record.id, STOP_TIMEOUT).await?;
        let replica = self.host.data_dir.replica(record.id);
        match fs::remove_dir_all(&replica.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Ends every database, so that what was committed is on disk and every client is told.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        self.sockets.lock().expect("nothing panics under this lock").take();
        for record in self.registry.all() {
            self.host.exit_module_host(record.id, STOP_TIMEOUT).await?;
        }
        let mut ended = self.sockets_ended.lock().await;
        if tokio::time::timeout(STOP_TIMEOUT, ended.recv()).await.is_err() {
            log::warn!("some sockets did not end in {STOP_TIMEOUT:?}");
        }
        Ok(())
    }
}

/// Makes the folder where the engine looks for compiled modules, below its own, the same for all servers of this machine.
fn share_compiled_modules(cache_dir: &Path, folder: &Path) -> anyhow::Result<()> {
    let shared = cache_dir.join(COMPILED);
    fs::create_dir_all(&shared)?;
    fs::create_dir_all(folder)?;
    let own = folder.join(COMPILED);
    if own.symlink_metadata().is_err() {
        std::os::unix::fs::symlink(shared.canonicalize()?, own)?;
    }
    Ok(())
}

fn engine(storage: Storage, folder: &Path, programs: Programs) -> HostController {
    let folder = Arc::new(ServerDataDir::from_path_unchecked(folder));
    let find_program = move |hash| {
        let found = programs.lock().expect("nothing panics under this lock").get(&hash).cloned();
        futures::future::ready(Ok(found))
    };
    HostController::new(
        folder.clone(),
        Config { storage, page_pool_max_size: None },
        HostRuntimeConfig::new(
            WasmConfig::default(),
            V8Config::default(),
            ModuleHttpConfig::default(),
        ),
        Arc::new(find_program),
        Arc::new(NullEnergyMonitor),
        Arc::new(()),
        Arc::new(LocalPersistenceProvider::new(folder)),
        JobCores::without_pinned_cores(),
    )
}

/// A number that nobody has had before: the standard library seeds each hasher from the system's randomness.
pub(crate) fn fresh_u128() -> u128 {
    let half = || u128::from(RandomState::new().hash_one(()));
    half() << 64 | half()
}
