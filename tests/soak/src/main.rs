//! Many clients on a real server for a long time, with sockets that fail: see `tests/soak/run`.
#![expect(clippy::print_stdout, reason = "the report is what this is for")]

mod life;
mod memory;
mod random;
mod report;
mod stores;
mod witness;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lightlike_tests::real::{Database, Module, Real};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::life::Life;
use crate::random::Random;
use crate::report::Report;
use crate::stores::{Kept, Kind};
use crate::witness::Witness;

/// Rows that the database keeps; older ones are deleted, so that rows leave as well as come.
const ROWS_KEPT: usize = 1_500;

/// Arguments of the command line.
struct Args {
    minutes: u64,
    clients: usize,
    seed: u64,
    stores: Option<Kind>,
}

impl Args {
    fn parse() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;
        let mut args = Self { minutes: 10, clients: 60, seed: 1, stores: None };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("minutes") => args.minutes = parser.value()?.parse()?,
                Long("clients") => args.clients = parser.value()?.parse()?,
                Long("stores") => args.stores = Some(parser.value()?.parse()?),
                Long("seed") => args.seed = parser.value()?.parse()?,
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(args)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = match Args::parse() {
        Ok(args) => args,
        Err(error) => return fail(&error),
    };
    let Some(real) = Real::from_env() else {
        return fail(&"SPACETIMEDB_URI names no server: run tests/soak/run");
    };
    match soak(&real, &args).await {
        Ok(report) => {
            println!("{report}");
            if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    println!("soak: {error}");
    ExitCode::FAILURE
}

async fn soak(real: &Real, args: &Args) -> Result<Report, Box<dyn std::error::Error>> {
    let database = Arc::new(real.publish(Module::Notes).await?);
    println!(
        "{} clients for {} min on `{}`, seed {}",
        args.clients,
        args.minutes,
        database.name(),
        args.seed
    );
    let witness = Witness::start(&database).await?;
    let (stop, stopped) = watch::channel(false);
    let folder = tempfile::tempdir()?;
    let mut lives = JoinSet::new();
    for number in 0..args.clients {
        let random = Random::new(args.seed, number);
        let kept = Kept::of(number, args.stores, folder.path());
        let life = Life::new(Arc::clone(&database), number, random, kept);
        let (witness, stopped) = (witness.clone(), stopped.clone());
        lives.spawn(async move { life.run(stopped, witness).await });
    }
    let sweeping = tokio::spawn(sweep(Arc::clone(&database), stopped));
    let memory = watch_memory(Duration::from_secs(args.minutes * 60), &witness).await;
    stop.send_replace(true);
    sweeping.await?;
    let mut report = Report::new(memory);
    while let Some(ended) = lives.join_next().await {
        report.add(ended?);
    }
    report.add_witness(&witness);
    Ok(report)
}

/// Prints a line a minute until the time is up.
async fn watch_memory(length: Duration, witness: &Witness) -> memory::Samples {
    let mut samples = memory::Samples::default();
    let (start, mut tick) = (Instant::now(), tokio::time::interval(Duration::from_secs(10)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut printed = 0;
    while start.elapsed() < length {
        tick.tick().await;
        samples.add(start.elapsed());
        let minute = start.elapsed().as_secs() / 60;
        if minute > printed {
            printed = minute;
            println!(
                "{minute:>4} min  {:>5} MB  {:>8} rows came",
                samples.last() >> 20,
                witness.rows()
            );
        }
    }
    samples
}

/// Deletes the oldest rows while there are too many.
async fn sweep(database: Arc<Database>, mut stopped: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = tick.tick() => (),
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        let Ok(rows) = database.sql(database.owner(), "SELECT * FROM note").await else { continue };
        let mut ids: Vec<u64> = rows.iter().filter_map(|row| row[0].as_u64()).collect();
        ids.sort_unstable();
        if let Some(first_kept) = ids.len().checked_sub(ROWS_KEPT).and_then(|at| ids.get(at)) {
            let statement = format!("DELETE FROM note WHERE id < {first_kept}");
            // A sweep that fails is made up for by the next one.
            let _ = database.sql(database.owner(), &statement).await;
        }
    }
}
