//! The rows of the table `t`, as a program has them, and as the events tell them.

use lightlike_core::cache::{Mutation, RowChange};
use lightlike_core::conn::Connection;
use lightlike_core::schema::{ClientIndex, Row, Table};

use crate::Random;
use crate::item::Item;
use crate::model;
use crate::server::{Act, Items};

/// Row type of the table `t`.
pub(crate) trait Rows: Row + Table<Row = Self> {
    /// `true` if code of theirs may panic.
    const FAILS: bool;

    fn pair(&self) -> (u32, u32);

    /// The mutation of a call.
    fn mutation(act: Act) -> Box<dyn Mutation>;

    /// Adds an index of the client's own.
    fn index(connection: &mut Connection);

    /// Something happens next, in which code of theirs may panic.
    fn may_fail(random: &mut Random);

    /// Nothing panics any more.
    fn calm();
}

impl Rows for Item {
    const FAILS: bool = false;

    fn pair(&self) -> (u32, u32) {
        (self.id, self.value)
    }

    fn mutation(act: Act) -> Box<dyn Mutation> {
        model::mutation(act)
    }

    fn index(connection: &mut Connection) {
        connection.add_index::<Self, u32>(ClientIndex::on(Self::VALUE)).unwrap();
    }

    fn may_fail(_: &mut Random) {}

    fn calm() {}
}

/// Rows as the events tell them, from the first mention of their type on.
#[derive(Debug, Default)]
pub(crate) struct Told {
    rows: Items,
    is_kept_up: bool,
    /// A mutation may have been the first mention, so that it is not known which rows were there.
    may_have_missed: bool,
}

impl Told {
    pub(crate) fn may_miss_mention(&mut self) {
        self.may_have_missed = true;
    }

    /// The table is mentioned, and has these rows.
    pub(crate) fn mentioned(&mut self, rows: Items) {
        if !self.is_kept_up && !self.may_have_missed {
            (self.is_kept_up, self.rows) = (true, rows);
        }
    }

    pub(crate) fn is_kept_up(&self) -> bool {
        self.is_kept_up
    }

    pub(crate) fn rows(&self) -> &Items {
        &self.rows
    }

    pub(crate) fn follow<R: Rows>(&mut self, change: RowChange<'_, R>) {
        let rows = &mut self.rows;
        match change {
            RowChange::Insert(row) => {
                let (id, value) = row.pair();
                assert_eq!(rows.insert(id, value), None);
            }
            RowChange::Update { old, new } => {
                let ((_, before), (id, value)) = (old.pair(), new.pair());
                assert_eq!(rows.insert(id, value), Some(before));
            }
            RowChange::Delete(row) => {
                let (id, value) = row.pair();
                assert_eq!(rows.remove(&id), Some(value));
            }
            RowChange::Event(_) => panic!("it is no event table"),
        }
    }
}
