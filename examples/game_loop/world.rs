//! The world that runs inside the example.

use lightlike_testkit::{Server, Tx};

use crate::{Entity, Explosion, MoveTo, SHIP};

/// Width of a chunk.
const CHUNK: f32 = 16.0;
/// Width of space.
const WIDTH: u32 = 200;
/// A mine lies at every place that is a multiple of this.
const MINES: u32 = 50;

/// Starts a world with some hundred asteroids, and mines between them. It goes when this is dropped.
pub(crate) fn start(database: &str) -> Server {
    let asteroids = (0..WIDTH * 4).map(|n| {
        let (x, y) = ((n / 4) as f32, (n % 4 * 10) as f32);
        Entity { id: n + 100, chunk: chunk(x), x, y }
    });
    Server::builder()
        .database(database)
        .table::<Entity>()
        .table::<Explosion>()
        .rows::<Entity>(asteroids)
        .reducer(|tx: &mut Tx, MoveTo { x, y }| {
            tx.upsert(Entity { id: SHIP, chunk: chunk(x), x, y });
            if x > 0.0 && x % MINES as f32 == 0.0 {
                tx.insert(Explosion { x, y, power: 3 });
            }
            Ok(())
        })
        .start_blocking()
}

fn chunk(x: f32) -> u64 {
    (x / CHUNK) as u64
}
