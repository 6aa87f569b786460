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

/// What the server's rows of a set are to it.
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

/// Where a change of a set that the server tells goes.
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

/// What rows of a set come in as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Destination {
    /// Under this name.
    pub(crate) rows: SetId,
    /// Whether one message may bring a row more than once.
    pub(crate) may_repeat: bool,
}

/// What the end of a set leaves to be done.
#[derive(Debug)]
pub(crate) enum End {
    /// There is no such set, or it is ending already.
    Nothing,
    /// The server is to let go of it, and its answer ends the set.
    Asked(QuerySetId),
    /// It is over here: its rows are to be dropped. Where the server has it, it is to let go of it.
    Over { rows: Released, wire: Option<QuerySetId> },
}

/// What the server's word that a set is over leaves to be done.
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

/// What the server's refusal of a set leaves to be done.
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
