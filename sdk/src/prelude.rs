//! Items that most programs need: `use lightlike::prelude::*;`.

pub use crate::auth::{FileTokens, MemoryTokens};
pub use crate::connection::Budget;
pub use crate::events::{Cause, Change, Deleted, Inserted, Lagged, RowChange, Updated};
pub use crate::optimistic::{LocalTx, RowStatus, TempId};
pub use crate::query::{Filter, Sender, TableQueries};
pub use crate::types::{I256, ScheduleAt, U256};
pub use crate::{
    Bsatn, CallError, Client, ConnectionId, ConnectionState, HasKey, Identity, Procedure, Reducer,
    Subscription, Table, TimeDuration, Timestamp, Uuid, View, procedure, reducer,
};
