//! Items that most programs need: `use lightlike::prelude::*;`.

pub use crate::bsatn::Bsatn;
pub use crate::schema::{Procedure, Reducer, Table};
pub use crate::types::{
    ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid,
};
pub use crate::{
    Bsatn, Budget, CallError, Cause, Change, Client, ConnectionState, Deleted, FileTokens, Filter,
    Inserted, Lagged, LocalTx, MemoryTokens, RowChange, RowStatus, Sender, Subscription, Table,
    TableQueries, TempId, Updated, procedure, reducer,
};
