//! The column of the official SDK: its callbacks, and a thread of its own, as its quick start has it.

mod bindings;
mod reads;

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bench_harness::{Call, Client, Lookups, Options, Reached, Table};
use bindings::{DbConnection, Reducer, Remote, SdkCompression};
use spacetimedb_sdk::__codegen as sdk;

const PATIENCE: Duration = Duration::from_secs(600);

struct Official {
    connection: DbConnection,
    _thread: JoinHandle<()>,
}

impl Official {
    fn reducer(call: Call) -> Reducer {
        match call {
            Call::Ping(n) => Reducer::ping(n),
            Call::MoveEntities { from, n } => Reducer::move_entities(from, n),
            Call::EmitTicks(n) => Reducer::emit_ticks(n),
        }
    }

    fn call_then(&self, call: Call, done: impl FnOnce() + Send + 'static) {
        let sent = self.connection.reducers.call_then(Self::reducer(call), move |_, outcome| {
            outcome.expect("a reducer that does not panic").expect("a reducer that commits");
            done();
        });
        sent.expect("a connection");
    }
}

fn wait<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(PATIENCE).expect("a callback")
}

fn channel() -> (Sender<Reached>, Receiver<Reached>) {
    mpsc::channel()
}

impl Client for Official {
    const NAME: &'static str = "official";

    fn connect(options: &Options) -> Self {
        let (greeted, greeting) = mpsc::channel();
        let connection = sdk_builder(options)
            .on_connect(move |_, _, _| greeted.send(()).expect("a main thread that waits"))
            .on_connect_error(|_, error| panic!("{error}"))
            .build()
            .expect("a connection");
        let thread = connection.imp.run_threaded();
        wait(&greeting);
        Self { connection, _thread: thread }
    }

    fn subscribe(&mut self, table: Table) -> Reached {
        let (sender, applied) = channel();
        sdk::SubscriptionBuilder::new(&self.connection.imp)
            .on_applied(move |_| sender.send(Reached::now()).expect("a main thread that waits"))
            .on_error(|_, error| panic!("{error}"))
            .subscribe(table.sql());
        wait(&applied)
    }

    fn call(&mut self, call: Call) -> Reached {
        let (sender, outcome) = channel();
        self.call_then(call, move || {
            sender.send(Reached::now()).expect("a main thread that waits")
        });
        wait(&outcome)
    }

    fn ping_in_turn(&mut self, n: u64, times: &mut Vec<f64>) {
        let (sender, outcome) = channel();
        for id in 0..n {
            let sender = sender.clone();
            let start = Instant::now();
            self.call_then(Call::Ping(id), move || sender.send(Reached::now()).expect("a waiter"));
            times.push((wait(&outcome).at - start).as_secs_f64());
        }
    }

    fn ping_in_flight(&mut self, n: u64, window: usize) -> Reached {
        // Outcomes make room in eighths of the window, so that the main thread does not wake for each.
        let share = window as u64 / 8;
        let (sender, room) = mpsc::channel();
        for _ in 0..window as u64 / share {
            sender.send(Reached::now()).expect("a receiver");
        }
        for id in 0..n {
            if id % share == 0 {
                wait(&room);
            }
            let sender = sender.clone();
            // Outcomes come in the order of the calls.
            self.call_then(Call::Ping(id), move || {
                if id % share == share - 1 || id == n - 1 {
                    sender.send(Reached::now()).expect("a receiver");
                }
            });
        }
        let shares = n.div_ceil(share) + window as u64 / share - n.div_ceil(share);
        (0..shares).map(|_| wait(&room)).last().expect("at least one share")
    }

    fn on_entity_update(&mut self, mut f: impl FnMut(u64) + Send + 'static) {
        self.connection.db.entity().on_update(move |_, _, new| f(new.id));
    }

    fn on_tick(&mut self, mut f: impl FnMut(u64) + Send + 'static) {
        self.connection.db.tick().on_insert(move |_, tick| f(tick.id));
    }

    fn count(&self, table: Table) -> Option<u64> {
        Some(match table {
            Table::Entity => self.connection.db.entity().count(),
            Table::Message => self.connection.db.message().count(),
            Table::Tick => self.connection.db.tick().count(),
        })
    }

    fn lookups(&self, _: u64) -> Lookups<'_> {
        reads::lookups(&self.connection)
    }
}

fn sdk_builder(options: &Options) -> spacetimedb_sdk::DbConnectionBuilder<Remote> {
    let compression = match options.compression {
        bench_harness::Compression::None => SdkCompression::None,
        bench_harness::Compression::Gzip => SdkCompression::Gzip,
        bench_harness::Compression::Brotli => SdkCompression::Brotli,
    };
    spacetimedb_sdk::DbConnectionBuilder::new()
        .with_uri(options.uri.as_str())
        .with_database_name(&options.database)
        .with_compression(compression)
        .with_confirmed_reads(false)
}

fn main() {
    bench_harness::main::<Official>();
}
