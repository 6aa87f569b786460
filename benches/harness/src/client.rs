//! A client library, as far as the cases use it.

use std::time::Instant;

use crate::measure;

/// Settings of a benchmark client.
#[derive(Debug, Clone)]
pub struct Options {
    /// `http://HOST:PORT`.
    pub uri: String,
    pub database: String,
    pub compression: Compression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Brotli,
}

impl Compression {
    pub fn named(name: &str) -> Self {
        match name {
            "none" => Self::None,
            "gzip" => Self::Gzip,
            "brotli" => Self::Brotli,
            other => panic!("`{other}` is none of none, gzip and brotli"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Entity,
    Message,
    Tick,
}

impl Table {
    pub fn named(name: &str) -> Self {
        match name {
            "entity" => Self::Entity,
            "message" => Self::Message,
            other => panic!("`{other}` is none of entity and message"),
        }
    }

    pub fn sql(self) -> &'static str {
        match self {
            Self::Entity => "SELECT * FROM entity",
            Self::Message => "SELECT * FROM message",
            Self::Tick => "SELECT * FROM tick",
        }
    }
}

/// A call of one of the module's reducers.
#[derive(Debug, Clone, Copy)]
pub enum Call {
    Ping(u64),
    MoveEntities { from: u64, n: u32 },
    EmitTicks(u32),
}

/// The moment at which an application learned of something, and the CPU time its process had used by then.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    pub at: Instant,
    pub cpu: f64,
}

impl Reached {
    #[allow(clippy::new_without_default, reason = "it reads clocks")]
    pub fn now() -> Self {
        Self { at: Instant::now(), cpu: measure::cpu() }
    }
}

/// A column. Each method does what an application would write with that library, in the library's own way of waiting,
/// and nothing besides. What the server refuses is a panic.
pub trait Client: Sized {
    /// The column's name.
    const NAME: &'static str;

    /// Connects with `confirmed=false`, and returns when the server has greeted.
    fn connect(options: &Options) -> Self;

    /// Subscribes to a whole table, and waits until the application knows that its rows are there.
    fn subscribe(&mut self, table: Table) -> Reached;

    /// Calls, and waits for the outcome, which comes after the callbacks of the call's rows.
    fn call(&mut self, call: Call) -> Reached;

    /// `n` pings, each called when the application knows of the one before; its times in seconds are added to `times`.
    fn ping_in_turn(&mut self, n: u64, times: &mut Vec<f64>);

    /// `n` pings of which at most `window` are under way; returns when all outcomes are known.
    fn ping_in_flight(&mut self, n: u64, window: usize) -> Reached;

    /// Runs `f` with the id of every entity that is updated.
    fn on_entity_update(&mut self, f: impl FnMut(u64) + Send + 'static);

    /// Runs `f` with the id of every tick.
    fn on_tick(&mut self, f: impl FnMut(u64) + Send + 'static);

    /// Number of rows of a table that the application can read now; `None` for a client that keeps none.
    fn count(&self, table: Table) -> Option<u64>;

    /// The ways to read the `rows` entities, each by its name, as functions from ids to the sum of their `hp`.
    fn lookups(&self, rows: u64) -> Lookups<'_>;
}

/// Ways to look rows up, by name; and to go through all rows, without ids.
#[derive(Default)]
pub struct Lookups<'a> {
    pub find: Vec<Lookup<'a>>,
    pub iterate: Vec<Lookup<'a>>,
}

/// A name, and what reads rows: it returns the sum of their `hp`.
pub type Lookup<'a> = (&'static str, Box<dyn Fn(&[u64]) -> i64 + 'a>);
