//! Calls and queries as the application makes them.

use bytes::Bytes;

use crate::wire::Text;

/// One call of a reducer or a procedure, or one query: as long as the machine lives, no two have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Something that the server answers once.
#[derive(Debug, Clone)]
pub enum Request {
    /// A call of a reducer.
    Reducer {
        /// Its name on the wire.
        name: Text,
        /// The parameters' BSATN, one after the other.
        args: Bytes,
    },
    /// A call of a procedure.
    Procedure {
        /// Its name on the wire.
        name: Text,
        /// The parameters' BSATN, one after the other.
        args: Bytes,
    },
    /// A query that is answered with rows, once.
    Query {
        /// The SQL.
        sql: Text,
    },
}

impl Request {
    /// Bytes that it takes until it is answered, as [`max_call_bytes`](crate::limits::Limits::max_call_bytes) counts them: its
    /// arguments or its text, and what is kept beside them.
    pub fn bytes(&self) -> usize {
        /// A call's entries here and in the facade, with the deadline and the waiter.
        const CALL_BYTES: usize = 512;
        CALL_BYTES
            + match self {
                Self::Reducer { name, args } | Self::Procedure { name, args } => {
                    name.as_bytes().len() + args.len()
                }
                Self::Query { sql } => sql.as_bytes().len(),
            }
    }

    /// The arguments, if it calls something.
    pub(crate) fn args(&self) -> Option<&Bytes> {
        match self {
            Self::Reducer { args, .. } | Self::Procedure { args, .. } => Some(args),
            Self::Query { .. } => None,
        }
    }

    pub(crate) fn set_args(&mut self, new: Bytes) {
        match self {
            Self::Reducer { args, .. } | Self::Procedure { args, .. } => *args = new,
            Self::Query { .. } => (),
        }
    }
}

/// Policy of calls that are made, or not sent yet, while a lost connection is not back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhileDisconnected {
    /// They end as [`NotSent`](crate::conn::Reply::NotSent).
    #[default]
    Fail,
    /// They wait, and are sent in order after the resync: on disk if there is a journal, else in memory.
    Wait,
    /// They end as [`Dropped`](crate::conn::Reply::Dropped): what they say is worth nothing later.
    Drop,
}

/// Kind of answer that a request gets, with what is needed when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Reducer(Text),
    Procedure,
    Query,
    /// A query that says whether a call has run, which waits for that.
    Probe,
}
