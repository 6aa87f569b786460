//! Clock of the server.

use std::time::SystemTime;

use lightlike_core::types::Timestamp;

/// The server's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One that stands until the test moves it.
    Manual(Timestamp),
}

impl Clock {
    pub(crate) fn now(self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the server's clock")]
            Self::System => {
                Timestamp::from_system_time(SystemTime::now()).unwrap_or(Timestamp::MAX)
            }
            Self::Manual(now) => now,
        }
    }
}
