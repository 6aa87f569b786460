//! Sans-I/O state machine of the connection: no socket, no clock, no thread, no randomness.
//!
//! ```text
//!            start            opened             greeting          close
//!  ┌──────┐        ┌─────────┐        ┌──────────┐        ┌────────┐        ┌─────────┐
//!  │ Idle │───────▶│ Dialing │───────▶│ Greeting │───────▶│ Online │───────▶│ Closing │
//!  └──────┘        └─────────┘        └──────────┘        └────────┘        └─────────┘
//!                   ▲   ▲   │ lost, late     │ lost, late    │ lost             │ lost, late
//!              token│   │   ▼                ▼               ▼                  │
//!  ┌───────────────┐│   │ ┌───────────────────────────────────────┐             │
//!  │ AwaitingToken │┘   └─│ Waiting, after what had come before   │             ▼
//!  └───────────────┘ timer│ was applied (Draining)                │        ┌────────┐
//!              ▲          └───────────────────────────────────────┘───────▶│ Closed │
//!              └─ the token is not accepted ──┘      nothing helps          └────────┘
//! ```
//!
//! Methods come in four kinds. *Commands* (`subscribe`, `call`, `close`) come from the application; `handle_*` tell
//! what happened; [`step`](Connection::step) applies what came, a bounded piece at a time; `poll_*` take what is to be
//! done. After every command and every `handle_*`, a driver takes actions until there are none, and then alternates:
//! deliver all events, `step`, until there is nothing left to do. [`poll_timeout`](Connection::poll_timeout) says when
//! [`handle_timeout`](Connection::handle_timeout) is due; its answer may have changed after any of these.
//!
//! Code of the application that panics inside of the machine is caught: see [`Event::Panicked`]. Where the machine cannot go on, a
//! driver says [`break_off`](Connection::break_off), and every call is answered.
//!
//! `step` applies nothing while events wait: so the application has seen one transaction whole, and nothing of the
//! next, when its callbacks run.

mod apply;
mod calls;
mod checks;
mod config;
mod endpoint;
mod event;
mod lifecycle;
mod machine;
mod persistence;
mod subscriptions;
mod telemetry;
mod transmit;

pub use self::apply::receiving::{PartialMessage, Receiving};
pub use self::calls::temp_ids::NamedArgs;
pub use self::checks::{BoundFault, OwnershipFault};
pub use self::config::{Config, Reconnect};
pub use self::endpoint::{
    Endpoint, EndpointError, Server, SubscribeParameters, check_database_name,
};
pub use self::event::{
    Accepted, Action, AlarmId, CannotSwitch, Cause, Dial, Event, Greeting, NotSent, Reply,
    Restored, SetEnd, StaleReason, Storage, SyncState, TransactionEvent,
};
pub use self::lifecycle::finish::LINGER_MAX;
pub use self::lifecycle::state::{AnswerOrigin, CloseReason, ConnectionState, DialError, Lost};
pub use self::machine::{Connection, Progress};
pub use self::persistence::{
    CallOptions, LiveReducer, OfflineConfig, Overflow, Replay, SchemaRound, table_fingerprint,
};
pub use self::subscriptions::verify::{Verification, VerificationId};
pub use self::telemetry::histogram::Histogram;
pub use self::telemetry::slow::{SlowConsumer, SlowReason};
pub use self::telemetry::stats::Stats;
pub use self::telemetry::times::CallTimes;
pub use crate::conn::calls::{CallId, Request as CallRequest, WhileDisconnected};
pub use crate::conn::subscriptions::SubscriptionId;
