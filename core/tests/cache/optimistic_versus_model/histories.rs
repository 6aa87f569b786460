//! Operations of random histories: the server's messages, mutations, readers.

use proptest::collection::vec;
use proptest::prelude::*;

/// Write of a mutation, to the rows and to the model of them.
#[derive(Debug, Clone)]
pub(super) enum Write {
    Put(u64, u32),
    Insert(u64, u32),
    Update(u64, u32),
    Remove(u64),
    /// Reads a row and writes it back with one more.
    Increment(u64),
    /// Writes a row that depends on all others.
    Top(u64),
    /// Puts a row whose score is another's, if there is that.
    Copy(u64, u64),
    /// Reads a row, and writes the row whose number is its score.
    Follow(u64),
    /// Puts a row with another's name.
    Alias(u64, u64),
    /// Reads a row by its name, and puts another with its score.
    Named(u64, u64),
    /// Counts the messages.
    Count(u64),
    /// Refuses if there is a row of such a name.
    Unless(u64),
    /// Leaves the rest of the mutation out if there is no such row.
    Given(u64),
    /// Deletes a row by its name.
    RemoveNamed(u64),
    Temp(u32),
    Say(u32),
    Unsay(u32),
}

#[derive(Debug, Clone)]
pub(super) enum Op {
    Mutate(Vec<Write>),
    /// The server commits rows, and answers some of the mutations with it.
    Transact {
        rows: Vec<(u64, Option<u32>)>,
        says: Vec<(u32, bool)>,
        ends: Vec<usize>,
    },
    Subscribe(u64),
    Unsubscribe(usize),
    Resync(Vec<usize>),
    /// A transaction that is under way when a mutation comes.
    Interrupted {
        rows: Vec<(u64, Option<u32>)>,
        steps: usize,
        writes: Vec<Write>,
    },
    /// A message that cannot follow.
    Broken(u64),
    Aborted {
        rows: Vec<(u64, Option<u32>)>,
        steps: usize,
        ends: Vec<usize>,
    },
    HoldView,
    DropView(usize),
    Reclaim(usize),
}

pub(super) const IDS: u64 = 16;

fn writes(ids: u64) -> impl Strategy<Value = Vec<Write>> {
    let id = move || 0..ids;
    let write = prop_oneof![
        4 => (id(), 0..4_u32).prop_map(|(id, score)| Write::Put(id, score)),
        1 => (id(), 0..4_u32).prop_map(|(id, score)| Write::Insert(id, score)),
        1 => (id(), 0..4_u32).prop_map(|(id, score)| Write::Update(id, score)),
        2 => id().prop_map(Write::Remove),
        3 => id().prop_map(Write::Increment),
        1 => id().prop_map(Write::Top),
        3 => (id(), id()).prop_map(|(from, to)| Write::Copy(from, to)),
        2 => id().prop_map(Write::Follow),
        1 => (id(), id()).prop_map(|(id, other)| Write::Alias(id, other)),
        1 => (id(), id()).prop_map(|(name, to)| Write::Named(name, to)),
        1 => id().prop_map(Write::Count),
        1 => id().prop_map(Write::Unless),
        2 => id().prop_map(Write::Given),
        1 => id().prop_map(Write::RemoveNamed),
        2 => (0..4_u32).prop_map(Write::Temp),
        1 => (0..4_u32).prop_map(Write::Say),
        1 => (0..4_u32).prop_map(Write::Unsay),
    ];
    vec(write, 0..4)
}

fn rows(ids: u64) -> impl Strategy<Value = Vec<(u64, Option<u32>)>> {
    vec((0..ids, prop::option::weighted(0.7, 0..4_u32)), 0..5)
}

/// An operation on players whose numbers are below `ids`.
pub(super) fn op(ids: u64) -> impl Strategy<Value = Op> {
    let (writes, rows) = (|| writes(ids), || rows(ids));
    let ends = || vec(any::<usize>(), 0..3);
    prop_oneof![
        8 => writes().prop_map(Op::Mutate),
        8 => (rows(), vec((0..4_u32, any::<bool>()), 0..2), ends())
            .prop_map(|(rows, says, ends)| Op::Transact { rows, says, ends }),
        2 => (1..4_u64).prop_map(Op::Subscribe),
        1 => any::<usize>().prop_map(Op::Unsubscribe),
        1 => ends().prop_map(Op::Resync),
        3 => (rows(), 0..12_usize, writes())
            .prop_map(|(rows, steps, writes)| Op::Interrupted { rows, steps, writes }),
        1 => (0..ids).prop_map(Op::Broken),
        1 => (rows(), 0..12_usize, ends())
            .prop_map(|(rows, steps, ends)| Op::Aborted { rows, steps, ends }),
        1 => Just(Op::HoldView),
        1 => any::<usize>().prop_map(Op::DropView),
        2 => (1..40_usize).prop_map(Op::Reclaim),
    ]
}
