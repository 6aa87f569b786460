//! Outcomes of transitions: what is left to be done about a set.

use super::{Released, SubscriptionId};
use crate::cache::SetId;
use crate::wire::QuerySetId;

/// Rows of a set that come in with a change: what the change means for the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) set: SubscriptionId,
    /// The name that they come in under.
    pub(crate) rows: SetId,
    /// The name whose rows the same change drops.
    pub(crate) replaces: Option<SetId>,
}

/// Meaning of the server's rows for a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// There is no such set.
    Unknown,
    /// The set was answered before.
    Twice,
    /// It was ended meanwhile: the rows need not come in to go out.
    Unwanted,
    /// The first rows of a set, which is [`Stage::Applied`](super::Stage::Applied) from now on.
    First(Arrival),
    /// A set that was asked for again. It is [`Stage::Answered`](super::Stage::Answered) until it [joins](super::Subscriptions::join).
    Again(Arrival),
}

/// Route of a change of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// There is no such set.
    Unknown,
    /// Nowhere: the set holds no rows here.
    Nowhere,
    /// Into the cache.
    Cache(Destination),
    /// To the rows that wait to come in.
    Gathered(Destination),
}

/// Name and form under which rows of a set come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Destination {
    /// Under this name.
    pub(crate) rows: SetId,
    /// `true` if one message may bring a row more than once.
    pub(crate) may_repeat: bool,
}

/// Work that the end of a set leaves.
#[derive(Debug)]
pub(crate) enum End {
    /// There is no such set, or it is ending already.
    Nothing,
    /// The server is to let go of it, and its answer ends the set.
    Asked(QuerySetId),
    /// It is over here: its rows are to be dropped. Where the server has it, it is to let go of it.
    Over { rows: Released, wire: Option<QuerySetId> },
}

/// Work that the server's confirmation of an end leaves.
#[derive(Debug)]
pub(crate) enum Ended {
    /// There is no such set.
    Unknown,
    /// Nobody asked for that.
    Unasked,
    /// The application was told before.
    Failed,
    /// It is over.
    Over(SubscriptionId, Released),
}

/// Work that the server's refusal of a set leaves.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no such set, or it is over.
    Unknown,
    /// It was asked for again, and keeps the rows that it has.
    KeepsRows(SubscriptionId),
    /// It is over. Whether the application had asked for its end.
    Over { set: SubscriptionId, rows: Released, was_ending: bool },
}

/// A set whose connection is gone, and what is left to be done about it.
#[derive(Debug)]
pub(crate) enum Orphan {
    /// It was about to end, and has.
    Ended(SubscriptionId, Released),
    /// Its rows are stale now.
    Stale(SetId),
}
