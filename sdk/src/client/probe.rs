//! Asking a server whether it is there.

use std::time::Duration;

use lightlike_core::conn::{CallRequest, Reply};
use lightlike_core::wire::Text;

use crate::calls::Unanswered;
use crate::calls::making::Making;
use crate::client::Client;
use crate::error::{Error, Repr};

/// Query of the probe: nothing that a table has to be looked at for. The server answers that it is no query, which is
/// an answer.
const QUESTION: Text = Text::from_static("");

impl Client {
    /// Asks the database whether it is there, and returns how long its answer took: through the socket, the server and
    /// the database's own queue, and back. What the connection does by itself (pings, and
    /// [`reconnect_now`](Self::reconnect_now) asks for one at once) tells of the socket only.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # use std::time::Duration;
    /// # async fn example(db: Client) {
    /// match db.probe(Duration::from_secs(2)).await {
    ///     Ok(round_trip) => println!("{round_trip:?} away"),
    ///     Err(error) => println!("not there: {error}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`TimedOut`](crate::ErrorKind::TimedOut) if it does not answer within `within`, and
    /// [`Query`](crate::ErrorKind::Query) if there is no connection, or it is lost meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn probe(&self, within: Duration) -> Result<Duration, Error> {
        let request = CallRequest::Query { sql: QUESTION };
        let (_, answer) = self.hub().call_timed(request, Making::of(&[], Some(within)));
        match answer.await {
            Ok((Reply::QueryRefused(_) | Reply::Rows(_), times)) => {
                let spans = [times.queued(), times.round_trip()];
                Ok(spans.into_iter().flatten().sum())
            }
            Ok((Reply::NotSent(why), _)) => Err(Repr::Unanswered(Unanswered::NotSent(why)).into()),
            Ok((Reply::TimedOut { .. }, _)) => Err(Repr::TimedOut(within).into()),
            Ok(_) | Err(_) => Err(Repr::Unanswered(Unanswered::Lost).into()),
        }
    }
}
