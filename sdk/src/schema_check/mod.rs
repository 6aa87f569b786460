//! The program's structs beside the module's schema: at connect, and at each later first mention.
//!
//! The schema is [fetched](fetch) when the server has greeted for the first time. What was mentioned by then is compared at
//! once, whatever is mentioned later when that happens. It is fetched anew for each later connection that has kept calls to
//! send: they wait for it, and those that do not fit are held.

mod fetch;
mod strict;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use lightlike_core::conn::SubscriptionId;
use lightlike_core::guard::{self, Fenced};
use lightlike_core::limits::Limits;
use lightlike_core::schema::{
    Difference, DifferenceKind, FunctionDef, Item, ServerSchema, TableDef, compare,
};
use tokio::sync::{Notify, oneshot};

use crate::client::plain_text::PlainText;
use crate::http;
use crate::observe::panics::log;
use crate::sync::lock;

pub(crate) use self::fetch::{connected, definitions, start};

/// Comparison of the program's structs with the module's schema, and what a difference leads to.
///
/// A struct that differs from the module in the types of its columns does not decode, or decodes into nonsense; a key
/// or an index that the module does not have makes queries that the server refuses. This says so first, and in words:
/// `table message, column 3: server has sent: Timestamp, struct has sent: u64`.
///
/// Compared is what the program mentions: tables that it subscribes to or takes a handle on, functions that it calls,
/// and what is declared to the builder ([`table`](crate::ClientBuilder::table),
/// [`reducer`](crate::ClientBuilder::reducer), [`procedure`](crate::ClientBuilder::procedure)). What the module has
/// beyond that is no difference.
///
/// Calls that were [kept](crate::ClientBuilder::offline) without a connection, by this run of the program or an earlier one,
/// are compared too, with the module as it is when the connection is back: they wait for its schema (30 s at most, and then
/// go as they are), and one whose reducer is gone or takes other arguments is
/// [held](crate::offline::QueuedState::NeedsMigration). A call that is made when the connection is ready never waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SchemaCheck {
    /// Nothing is asked for and nothing is compared.
    Off,
    /// The schema is fetched in the background. Each difference is logged, as a warning, and given to
    /// [`on_schema_drift`](crate::ClientBuilder::on_schema_drift).
    #[default]
    Warn,
    /// [`connect`](crate::ClientBuilder::connect) waits for the schema, and fails if what is declared to the builder
    /// differs from it, or if there is no schema to be had.
    ///
    /// Rows of a table that is mentioned only later, and differs, are not asked for: a subscription of it ends, and a
    /// query of it fails, with [`ErrorKind::Schema`](crate::ErrorKind::Schema) and the
    /// [differences](crate::Error::schema_differences). Where a client is [built](crate::ClientBuilder::build) and
    /// [started](crate::Client::start), subscriptions that were made before the schema came end so when it does; without a
    /// schema none does. Functions are as with [`Warn`](Self::Warn): the server decodes their arguments, and refuses those
    /// that it cannot.
    Strict,
}

pub(crate) type DriftHook = Arc<Fenced<Box<dyn Fn(&[Difference]) + Send + Sync>>>;

/// Settings of the builder.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) check: SchemaCheck,
    pub(crate) hook: Option<DriftHook>,
}

/// Place of the schema.
pub(crate) struct Origin {
    pub(crate) uri: Box<str>,
    pub(crate) database: Box<str>,
    pub(crate) limits: Limits,
    pub(crate) plain_text: PlainText,
}

/// State of comparing: what is compared, and what was found. Part of the [`Hub`].
#[derive(Default)]
pub(crate) struct SchemaState {
    config: OnceLock<(Settings, Origin)>,
    /// `true` while mentions are written down: not before the settings are known, and never if they say so.
    is_active: AtomicBool,
    mentioned: Mutex<Mentioned>,
    outcome: Mutex<Option<oneshot::Receiver<Outcome>>>,
    /// Notified when kept calls wait for a schema, and when the connection is closed.
    pub(crate) wanted: Arc<Notify>,
}

type Outcome = Result<Vec<Difference>, http::Error>;

/// The module's schema, as it concerns one client.
pub(crate) struct Theirs {
    schema: Arc<ServerSchema>,
    /// `true` if the client owns the database, so that private tables are no difference.
    is_owner: bool,
}

impl Theirs {
    fn compare(&self, tables: &[TableDef], functions: &[FunctionDef]) -> Vec<Difference> {
        let mut differences = compare(&self.schema, tables, functions);
        let hidden = |difference: &Difference| {
            difference.kind() == DifferenceKind::Visibility
                && matches!(difference.item(), Item::Table(_) | Item::View(_))
        };
        differences.retain(|difference| !(self.is_owner && hidden(difference)));
        differences
    }
}

#[derive(Default)]
struct Mentioned {
    theirs: Option<Arc<Theirs>>,
    /// Schema with which kept calls were compared.
    of_kept: Option<Arc<ServerSchema>>,
    /// The names of tables; a function may have the same.
    tables: HashSet<&'static str>,
    /// The names of functions.
    names: HashSet<&'static str>,
    functions: Vec<FunctionDef>,
    /// Query sets that were asked for before the schema was here, under a strict check.
    sets: Vec<(SubscriptionId, Vec<TableDef>)>,
    /// Those of them that end because their tables differ.
    differing: HashMap<SubscriptionId, Arc<[Difference]>>,
}

impl SchemaState {
    pub(crate) fn configure(&self, settings: Settings, origin: Origin) {
        let active = settings.check != SchemaCheck::Off;
        if self.config.set((settings, origin)).is_ok() {
            self.is_active.store(active, Ordering::Relaxed);
        }
    }

    /// A function is about to be called.
    pub(crate) fn function(&self, function: &FunctionDef) {
        if !self.is_active.load(Ordering::Relaxed) {
            return;
        }
        let mut mentioned = self.lock();
        if mentioned.names.insert(function.name) {
            mentioned.functions.push(*function);
            let theirs = mentioned.theirs.clone();
            drop(mentioned);
            self.compare(theirs.as_deref(), &[], &[*function]);
        }
    }

    /// These tables are mentioned; they may have been before. Returns the schema, if it is here.
    pub(crate) fn tables(&self, tables: &[TableDef]) -> Option<Arc<Theirs>> {
        if !self.is_active.load(Ordering::Relaxed) {
            return None;
        }
        let mut mentioned = self.lock();
        let mut news = tables.to_vec();
        news.retain(|table| mentioned.tables.insert(table.name));
        let theirs = mentioned.theirs.clone();
        drop(mentioned);
        self.compare(theirs.as_deref(), &news, &[]);
        theirs
    }

    fn compare(&self, theirs: Option<&Theirs>, tables: &[TableDef], functions: &[FunctionDef]) {
        if let Some(theirs) = theirs {
            self.report(&theirs.compare(tables, functions));
        }
    }

    fn report(&self, differences: &[Difference]) {
        for difference in differences {
            log!(warn, %difference, "the program differs from the module");
        }
        let hook = self.config.get().and_then(|(settings, _)| settings.hook.clone());
        if let (Some(hook), false) = (hook.as_deref().and_then(Fenced::get), differences.is_empty())
        {
            guard::quietly("on_schema_drift", || hook(differences));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mentioned> {
        lock(&self.mentioned)
    }
}

impl fmt::Debug for SchemaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaState").finish_non_exhaustive()
    }
}
