//! Progress of what arrives.

use lightlike_core::conn::Receiving;

use crate::client::Client;
use crate::events::watches::Watch;

impl Client {
    /// How far the message is that is arriving from the server: for the first rows of a large subscription over a slow
    /// link, which are one message and are seen when all of it is here.
    ///
    /// The value changes as parts of a message arrive, every 100 ms at most, and when it is whole; a message that has come
    /// sooner changes nothing, so that what is small costs nothing. How many bytes have come in all [`stats`](Self::stats) says at any
    /// time. A client that is [ticked](Self::tick) hears of it in its ticks.
    ///
    /// Any byte that comes is a sign of life: a message may take as long as it takes, and is given up only when nothing
    /// comes for [`idle_timeout`](crate::ClientBuilder::idle_timeout).
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table)]
    /// # #[table(name = "tile")]
    /// # struct Tile { #[primary_key] id: u64 }
    /// # async fn example(db: Client) -> Result<(), lightlike::Error> {
    /// let tiles = db.subscribe(Tile::all());
    /// let mut receiving = db.receiving();
    /// let progress = async {
    ///     while let Some(now) = receiving.next().await {
    ///         let Some(message) = now.message else { continue };
    ///         match message.length {
    ///             Some(length) => println!("{} of {length} bytes", message.received),
    ///             None => println!("{} bytes", message.received),
    ///         }
    ///     }
    /// };
    /// tokio::select! {
    ///     tiles = tiles => drop(tiles?),
    ///     () = progress => (),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn receiving(&self) -> Watch<Receiving> {
        self.hub().status.receiving()
    }
}
