//! Events of tables, calls and connections: callbacks, streams, watches.

pub(crate) mod broadcast;
pub(crate) mod callbacks;
pub(crate) mod changes;
pub(crate) mod event;
pub(crate) mod hooks;
pub(crate) mod listeners;
pub(crate) mod observers;
pub(crate) mod stream;
pub(crate) mod watches;

#[doc(inline)]
pub use lightlike_core::cache::RowChange;
#[doc(inline)]
pub use lightlike_core::conn::Cause;

pub use self::broadcast::{Broadcast, BroadcastEvent, BroadcastRow};
pub use self::callbacks::{CallbackId, ScopedCallback};
pub use self::changes::Changes;
pub use self::event::{Change, Deleted, Event, Inserted, Lagged, Updated};
pub use self::hooks::RowEvents;
pub use self::listeners::{CallEvent, Called, FunctionKind, Unhandled};
pub use self::stream::EventStream;
pub use self::watches::table::TableWatch;
pub use self::watches::wait::WaitUntil;
pub use self::watches::{Gone, Watch};
pub use crate::observe::panics::Panicked;
