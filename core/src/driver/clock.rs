//! Clock, timers and randomness: the driver's alone, for the machine has none.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use crate::deadline::at_last;
use crate::types::Timestamp;

/// The clock: `tokio::time` and not `std::time`, so that tests with a paused clock control it.
#[expect(clippy::disallowed_methods, reason = "this is the driver")]
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Sleeps, in a tokio runtime.
#[expect(clippy::disallowed_methods, reason = "this is the driver")]
pub async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Returns `true` if the tokio runtime that this is called in has timers, without which nothing here can run. It
/// panics, inside, if it has none: there is no other way to ask.
#[expect(clippy::disallowed_methods, reason = "this is the driver")]
pub fn has_timers() -> bool {
    std::panic::catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
}

/// Longest sleep of the loop.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// Sleeps until `deadline`, but a day at most, or for ever if there is none.
#[expect(clippy::disallowed_methods, reason = "this is the driver")]
pub(super) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        // A deadline of the application's may be one that the timers cannot count to.
        Some(deadline) => {
            let far = at_last(now(), FAR);
            tokio::time::sleep_until(deadline.min(far).into()).await;
        }
        None => std::future::pending().await,
    }
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the driver")]
pub fn time_of_day() -> Timestamp {
    // A clock before the first or after the last microsecond there is: any time is as good.
    Timestamp::from_system_time(std::time::SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Random number, from which a client's jitter and its session come.
pub fn random_seed() -> u128 {
    // The standard library's hasher has keys of the system's randomness; two of them are hashes of nothing.
    let half = || u128::from(RandomState::new().build_hasher().finish());
    half() << 64 | half()
}
