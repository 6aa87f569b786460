//! Statistics of a client: counters and histograms of [`Client::stats`](crate::Client::stats), and notices of slow
//! consumers.

#[doc(inline)]
pub use lightlike_core::conn::{Histogram, SlowConsumer, SlowReason, Stats};
