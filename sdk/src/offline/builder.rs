//! Making a client that works without a network.

use std::sync::{Arc, Weak};

use lightlike_core::cache::RegisterError;
use lightlike_core::conn::{OfflineConfig, Replay};
use lightlike_core::driver::{random_seed, time_of_day};
use lightlike_core::guard::{self, Fenced, Panic};
use lightlike_core::journal::{Opened, QueuedCall, Saved, Store, StoreError};
use lightlike_core::schema::fingerprint;

use super::hub::BeforeReplay;
use crate::client::builder::ClientBuilder;
use crate::client::declare::Declared;
use crate::error::{Error, Repr};
use crate::hub::Hub;

/// Settings of offline use, from the builder.
#[derive(Default)]
pub(crate) struct Offline {
    store: Option<Box<dyn Store>>,
    config: OfflineConfig,
    before_replay: Option<BeforeReplay>,
}

impl ClientBuilder {
    /// Keeps calls and rows in `store`, so that the client works without a network:
    ///
    /// - [`build`](Self::build) loads the rows of the last run's subscriptions, before any network. They are readable at
    ///   once and [stale](crate::View::is_stale), and become those of a subscription that asks for the same queries.
    /// - Calls that cannot be sent wait on disk, also over a restart, unless they are to
    ///   [fail or be dropped](Self::while_disconnected); [`accepted`](crate::Call::accepted) says when one is there.
    ///   They are sent in their order when the connection is ready, and compared with the module's schema, where
    ///   [that is done](Self#method.schema_check): what does not fit is [held](crate::offline::QueuedState::NeedsMigration).
    /// - A call that can be sent at once costs no write, unless its reducer is idempotent or it has a probe. Such a call
    ///   is [`Unknown`](crate::CallError::Unknown) if its answer is lost, and forgotten if the program is killed then.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// use lightlike::calls::Accepted;
    /// use lightlike::offline::FileStore;
    ///
    /// # #[derive(Bsatn, Table, Clone)] #[table(name = "note")]
    /// # struct Note { #[primary_key] id: u64, title: String }
    /// # #[reducer] struct AddNote { title: String }
    /// # async fn open() -> Result<(), lightlike::Error> {
    /// let db = Client::builder("https://maincloud.spacetimedb.com", "notes")
    ///     .offline(FileStore::open("notes.journal")?)
    ///     .build()?; // no network yet
    /// println!("{} notes from disk", db.table::<Note>().len());
    /// db.start()?;
    /// db.subscribe(Note::all()).keep();
    /// match db.call(AddNote { title: "milk".into() }).accepted().await? {
    ///     Accepted::Queued => println!("on disk, sent when there is a network"),
    ///     _ => println!("on its way"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The store keeps the token too, and so the identity, if no other is given. Whoever can read it is that user. One
    /// store may have the calls of several users and databases; a call is only ever sent as the user who made it.
    ///
    /// Damage to a file is found by checksums. What is whole stays in use, the damaged file is kept, and
    /// [`SyncState::put_aside`](crate::offline::SyncState::put_aside) names it. A call whose last record may be lost counts as sent: it
    /// ends as [`Unknown`](crate::CallError::Unknown) unless it may run twice. Rows with a hole in their record come from
    /// the server again.
    ///
    /// With [`confirmed_reads`](Self::confirmed_reads) switched off, a crash of the server may take back what was
    /// committed and is no longer kept here.
    pub fn offline(mut self, store: impl Store) -> Self {
        self.offline.store = Some(Box::new(store));
        self
    }

    /// Sets how much is kept, for how long, and what happens beyond that.
    pub fn offline_config(mut self, config: OfflineConfig) -> Self {
        self.offline.config = config;
        self
    }

    /// Decides what becomes of each call that was made without a connection, before any of them is sent.
    ///
    /// It runs when the connection is ready, where the client is driven, and blocks it; it may not make calls. A call that
    /// may have been sent already is sent again whatever it says.
    pub fn before_replay(
        mut self,
        veto: impl FnMut(&QueuedCall) -> Replay + Send + 'static,
    ) -> Self {
        self.offline.before_replay = Some(Box::new(veto));
        self.offline.config.asks_before_replay = true;
        self
    }
}

/// Contents of a store, between being read and being used.
pub(crate) struct Loaded {
    store: Box<dyn Store>,
    opened: Opened,
}

impl Offline {
    pub(crate) fn is_wanted(&self) -> bool {
        self.store.is_some()
    }

    /// Reads the store.
    pub(crate) fn load(
        &mut self,
        server: &str,
        database: &str,
        token: Option<&str>,
    ) -> Result<Option<Loaded>, Error> {
        let Some(mut store) = self.store.take() else { return Ok(None) };
        let loaded = guard::catch(|| Saved::load(&mut *store));
        let saved = match loaded {
            Ok(saved) => saved.map_err(Repr::Load)?,
            Err(message) => {
                guard::drop_quietly("store", store);
                let panic = Panic::new("store", message);
                return Err(Repr::Store(StoreError::new("load", "the offline store", panic)).into());
            }
        };
        let opened = saved.open(server, database, token);
        Ok(Some(Loaded { store, opened }))
    }

    /// Goes on with what the store had; the calls of functions that take other arguments now are held.
    pub(crate) fn open(
        self,
        loaded: Loaded,
        declared: &Declared,
        hub: &Arc<Hub>,
    ) -> Result<(), Error> {
        let Self { config, before_replay, .. } = self;
        let before_replay = before_replay.map(|veto| Fenced::new("before_replay", veto));
        hub.offline.set_before_replay(before_replay);
        hub.offline.enable();
        let log = loaded.opened.log_length();
        hub.command(|connection, now| {
            let (wall, seed) = (time_of_day(), random_seed() as u64);
            let restored = connection.open_journal(now, wall, loaded.opened, config, seed);
            // Before any mutator mentions a table: rows that were kept of another type are dropped here.
            declared.register(connection)?;
            for restored in restored {
                // Nobody has the client yet whom its spans could call.
                hub.register_call(connection, now, restored.call, restored.into());
            }
            for function in &declared.functions {
                let arguments = fingerprint::arguments(function);
                connection.expect_arguments(function.name, Some(arguments));
            }
            Ok::<(), RegisterError>(())
        })?;
        let weak = Arc::downgrade(hub);
        let started = hub.shared.start_disk(loaded.store, log, move || undriven(&weak));
        started.map_err(|error| Repr::DiskThread(error).into())
    }
}

/// Delivers what the disk's thread caused, before there is a driver and after it has ended.
fn undriven(hub: &Weak<Hub>) {
    if let Some(hub) = hub.upgrade() {
        hub.deliver_undriven();
    }
}
