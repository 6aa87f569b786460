//! A span for `tracing` around what the machine does, for who looks where a frame's time goes.

use tracing::Level;
use tracing::span::EnteredSpan;

use crate::conn::Connection;

/// Around a step of the machine's, if there is anything to apply and somebody listens. Drop it when the step is over.
pub(super) fn applying(connection: &Connection) -> Option<EnteredSpan> {
    let wanted = tracing::enabled!(Level::TRACE) && connection.has_work();
    wanted.then(|| tracing::trace_span!("lightlike.apply").entered())
}
