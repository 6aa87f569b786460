//! A frame loop: no runtime of its own, nothing happens outside of a tick, and a tick takes no longer than it may.
//!
//! ```text
//! $ cargo run --example game_loop
//! frame   0: connecting
//! frame  20: at 19 10, 193 things in sight
//! ```
//!
//! Without `--uri` the world runs inside the program, and the flight is over after two seconds.

mod world;

use std::time::{Duration, Instant};

use clap::Parser;
use lightlike::prelude::*;

/// Something in space. Rows are plain data: decoding one allocates nothing.
#[derive(Bsatn, Table, Clone, Copy, Debug, PartialEq)]
#[table(name = "entity")]
struct Entity {
    #[primary_key]
    id: u32,
    #[index(btree)]
    chunk: u64,
    x: f32,
    y: f32,
}

/// Delivered, never stored.
#[derive(Bsatn, Table, Clone, Debug)]
#[table(name = "explosion", event)]
struct Explosion {
    x: f32,
    y: f32,
    power: u8,
}

/// Moves the caller's ship.
#[reducer]
struct MoveTo {
    x: f32,
    y: f32,
}

/// The caller's ship.
const SHIP: u32 = 1;
/// A sixtieth of a second, and what of it is the database's.
const FRAME: Duration = Duration::from_micros(16_667);
const BUDGET: Budget = Budget::time(Duration::from_millis(2));

/// A flight through space.
#[derive(Parser)]
struct Args {
    /// The server, such as http://127.0.0.1:3000; without it the world runs inside this program.
    #[arg(long)]
    uri: Option<String>,
    /// The database's name.
    #[arg(long, default_value = "game")]
    database: String,
    /// Number of frames to fly.
    #[arg(long, default_value_t = 120)]
    frames: u32,
}

#[expect(clippy::print_stdout, reason = "the terminal is what this is about")]
fn main() -> Result<(), lightlike::Error> {
    let args = Args::parse();
    let world = args.uri.is_none().then(|| world::start(&args.database));
    let uri = args.uri.or_else(|| world.as_ref().map(|world| world.uri())).unwrap_or_default();
    let flight = fly(&uri, &args.database, args.frames, |line| println!("{line}"))?;
    println!(
        "{} frames, {} ticks left work for the next, the longest took {:.1} ms",
        flight.frames,
        flight.left_work,
        flight.longest.as_secs_f64() * 1e3
    );
    Ok(())
}

/// Result of a flight.
#[derive(Debug, Default)]
struct Flight {
    frames: u32,
    left_work: u32,
    longest: Duration,
    last_seen: usize,
}

fn fly(
    uri: &str,
    database: &str,
    frames: u32,
    mut say: impl FnMut(String),
) -> Result<Flight, lightlike::Error> {
    // Nothing is applied and no callback runs outside of `tick`.
    let db = Client::builder(uri, database).build_manual()?;
    let (booms, heard) = std::sync::mpsc::channel();
    db.table::<Explosion>().on_insert(move |_, boom| {
        // Whoever listened may be gone.
        let _ = booms.send(format!("boom at {:.0} {:.0}, power {}", boom.x, boom.y, boom.power));
    });
    let space = db.subscribe(Entity::all());
    db.subscribe(Explosion::all()).keep();

    let mut flight = Flight::default();
    while flight.frames < frames {
        let start = Instant::now();
        // Applies what arrived, runs callbacks on this thread, stops after 2 ms and says whether work is left.
        let tick = db.tick(BUDGET)?;
        flight.longest = flight.longest.max(start.elapsed());
        flight.left_work += u32::from(tick.work_left);
        heard.try_iter().for_each(&mut say);

        let at = flight.frames as f32;
        if space.is_applied() {
            // Its outcome reaches `on_unhandled_rejection`, should it not be committed.
            db.call(MoveTo { x: at, y: at / 2.0 }).forget();
        }
        if flight.frames.is_multiple_of(20) {
            let picture = draw(&db, &space, &mut flight.last_seen);
            say(format!("frame {:>3}: {picture}", flight.frames));
        }
        flight.frames += 1;
        // Where a game would draw, and wait for the screen.
        std::thread::sleep(FRAME.saturating_sub(start.elapsed()));
    }
    Ok(flight)
}

/// Draws a frame: the chunks around the ship, out of the local cache.
fn draw(db: &Client, space: &Subscription, seen: &mut usize) -> String {
    if !space.is_applied() {
        return "connecting".to_owned();
    }
    let view = db.read();
    let entities = view.table::<Entity>();
    let Some(ship) = entities.find(Entity::ID, &SHIP) else { return "waiting to start".to_owned() };
    let near = entities.range(Entity::CHUNK, ship.chunk.saturating_sub(1)..=ship.chunk + 1);
    *seen = near.count();
    format!("at {:.0} {:.0}, {seen} things in sight", ship.x, ship.y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_sees_things_and_hears_explosions() {
        let world = world::start("game");
        let mut lines = Vec::new();
        let flight = fly(&world.uri(), "game", 101, |line| lines.push(line)).unwrap();
        assert_eq!(flight.frames, 101);
        assert!(flight.last_seen > 0, "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("boom at 50 25")), "{lines:?}");
    }
}
