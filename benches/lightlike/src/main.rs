//! The column of this project: a client on a tokio runtime of one thread, which is the application's own.

mod decompress;
mod frames;
mod front;
mod held;
mod idle;
mod large;
mod reads;
mod schema;

use std::collections::VecDeque;
use std::time::Instant;

use bench_harness::{Call, Client, Compression, Lookups, Options, Reached, Table};
use lightlike::prelude::*;
use schema::{Entity, Message, Tick, emit_ticks, move_entities, ping};
use tokio::runtime::{Builder, Runtime};

struct Lightlike {
    db: lightlike::Client,
    runtime: Runtime,
}

impl Client for Lightlike {
    const NAME: &'static str = "lightlike";

    fn connect(options: &Options) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let compression = match options.compression {
            Compression::None => lightlike::connection::Compression::None,
            Compression::Gzip => lightlike::connection::Compression::Gzip,
            Compression::Brotli => lightlike::connection::Compression::Brotli,
        };
        let builder = lightlike::Client::builder(&options.uri, &options.database)
            .compression(compression)
            .confirmed_reads(false);
        let db = runtime.block_on(builder.connect()).expect("a connection");
        Self { db, runtime }
    }

    fn subscribe(&mut self, table: Table) -> Reached {
        let subscription = match table {
            Table::Entity => self.db.subscribe(Entity::all()),
            Table::Message => self.db.subscribe(Message::all()),
            Table::Tick => self.db.subscribe(Tick::all()),
        };
        self.runtime.block_on(async {
            subscription.applied().await.expect("rows");
            let reached = Reached::now();
            subscription.keep();
            reached
        })
    }

    fn call(&mut self, call: Call) -> Reached {
        self.runtime.block_on(async {
            let outcome = match call {
                Call::Ping(n) => self.db.call(ping(n)).await,
                Call::MoveEntities { from, n } => self.db.call(move_entities(from, n)).await,
                Call::EmitTicks(n) => self.db.call(emit_ticks(n)).await,
            };
            outcome.expect("a reducer that commits");
            Reached::now()
        })
    }

    fn ping_in_turn(&mut self, n: u64, times: &mut Vec<f64>) {
        self.runtime.block_on(async {
            for id in 0..n {
                let start = Instant::now();
                self.db.call(ping(id)).await.expect("a reducer that commits");
                times.push(start.elapsed().as_secs_f64());
            }
        });
    }

    fn ping_in_flight(&mut self, n: u64, window: usize) -> Reached {
        self.runtime.block_on(async {
            // Outcomes come in the order of the calls, so the oldest is awaited.
            let mut under_way = VecDeque::with_capacity(window);
            for id in 0..n {
                if under_way.len() == window {
                    let oldest: lightlike::Pending<_, _> = under_way.pop_front().expect("some");
                    oldest.await.expect("a reducer that commits");
                }
                under_way.push_back(self.db.call(ping(id)).send());
            }
            for outcome in under_way {
                outcome.await.expect("a reducer that commits");
            }
            Reached::now()
        })
    }

    fn on_entity_update(&mut self, mut f: impl FnMut(u64) + Send + 'static) {
        self.db.table::<Entity>().on_update(move |_, _, new| f(new.id));
    }

    fn on_tick(&mut self, mut f: impl FnMut(u64) + Send + 'static) {
        self.db.table::<Tick>().on_insert(move |_, tick| f(tick.id));
    }

    fn count(&self, table: Table) -> Option<u64> {
        let view = self.db.read();
        let rows = match table {
            Table::Entity => view.table::<Entity>().len(),
            Table::Message => view.table::<Message>().len(),
            Table::Tick => view.table::<Tick>().len(),
        };
        Some(rows as u64)
    }

    fn lookups(&self, _: u64) -> Lookups<'_> {
        reads::lookups(&self.db)
    }
}

/// Runs the cases that only this project has; whether the arguments name one.
fn ran_own() -> bool {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |place: usize| args.get(place).map_or("", String::as_str);
    let number = |place: usize| arg(place).parse::<u64>().expect("a number");
    match arg(2) {
        "frames" => frames::run(arg(0), arg(1), number(3)),
        "idle" => idle::run(arg(0), arg(1), number(3), arg(4)),
        "large" => large::run(arg(0), arg(1), number(3)),
        "held" => held::run(arg(0), arg(1)),
        "front" => front::run(arg(0), arg(3)),
        _ => return decompress::ran(),
    }
    true
}

fn main() {
    if !ran_own() {
        bench_harness::main::<Lightlike>();
    }
}
