//! Evaluation of queries: the rows that they return, and their changes by a transaction.

use std::collections::HashMap;

use bytes::Bytes;
use lightlike_core::schema::{SatsValue, TableKind};
use lightlike_core::types::Identity;

use super::views::{ViewChanges, Views};
use crate::database::{Database, Delta, TableDelta};
use crate::module::Module;
use crate::sql::{Bindings, ColumnRef, Columns, Query, Source};

/// Tables as one caller sees them, over which queries are evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) database: &'a Database,
    pub(crate) views: &'a Views,
    pub(crate) module: &'a Module,
    pub(crate) sender: Identity,
}

/// Changes of one transaction, views included.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    pub(crate) delta: Delta,
    pub(crate) views: ViewChanges,
}

impl Committed {
    fn of(&self, table: usize, sender: Identity) -> Option<&TableDelta> {
        self.delta.tables.get(&table).or_else(|| self.views.get(table, sender))
    }
}

impl Scene<'_> {
    /// The rows that `query` returns now, each as often as it matches.
    ///
    /// None if a table that it reads is empty: the server leaves such queries out of its answers.
    pub(crate) fn select(&self, query: &Query) -> Option<Vec<Bytes>> {
        let rows: Vec<_> = query.sources.iter().map(|source| self.rows(source.table)).collect();
        if rows.iter().any(Vec::is_empty) {
            return None;
        }
        Some(self.matches(query, &rows))
    }

    /// Change that a transaction, whose outcome this scene shows, made to the rows of `query`; none if it made none.
    pub(crate) fn change(&self, query: &Query, committed: &Committed) -> Option<TableDelta> {
        let deltas: Vec<_> =
            query.sources.iter().map(|source| committed.of(source.table, self.sender)).collect();
        let delta = match deltas.as_slice() {
            [only] => {
                let TableDelta { inserts, deletes } = (*only)?.clone();
                TableDelta {
                    inserts: self.matches(query, &[inserts]),
                    deletes: self.matches(query, &[deletes]),
                }
            }
            none if none.iter().all(Option::is_none) => return None,
            deltas => self.join_change(query, deltas),
        };
        (!delta.is_empty()).then_some(delta)
    }

    /// Returns `true` if the query's rows are events.
    pub(crate) fn returns_events(&self, query: &Query) -> bool {
        self.is_event(query.table())
    }

    fn is_event(&self, table: usize) -> bool {
        self.database.schemas[table].kind == TableKind::Event
    }

    fn join_change(&self, query: &Query, deltas: &[Option<&TableDelta>]) -> TableDelta {
        let (mut after, mut before) = (Vec::new(), Vec::new());
        for (source, delta) in query.sources.iter().zip(deltas) {
            let rows = self.rows(source.table);
            if self.is_event(source.table) {
                // Events are never stored: they join with what is there when they happen.
                after.push(delta.map(|delta| delta.inserts.clone()).unwrap_or_default());
                before.push(Vec::new());
            } else {
                before.push(undo(&rows, *delta));
                after.push(rows);
            }
        }
        let (after, before) = (self.matches(query, &after), self.matches(query, &before));
        TableDelta { inserts: surplus(&after, &before), deletes: surplus(&before, &after) }
    }

    fn rows(&self, table: usize) -> Vec<Bytes> {
        match self.database.schemas[table].kind {
            TableKind::View => self.views.rows(table, self.sender).to_vec(),
            _ => self.database.rows(table).cloned().collect(),
        }
    }

    /// The rows of the returned source that pass, each as often as there are rows of the others to join it with. `rows`
    /// has those of each source.
    fn matches(&self, query: &Query, rows: &[Vec<Bytes>]) -> Vec<Bytes> {
        if let ([source], [rows], None) = (query.sources.as_slice(), rows, &query.filter) {
            // Nothing has to be decoded.
            return self.visible(source.table, rows).cloned().collect();
        }
        let sources = query.sources.iter().zip(rows);
        let sources: Vec<_> = sources.map(|(source, rows)| self.read(source.table, rows)).collect();
        let mut counts = vec![0; sources[query.returned].len()];
        Enumeration::new(query, &sources, self.sender)
            .run(&mut |chosen| counts[chosen[query.returned]] += 1);
        let returned = sources[query.returned].iter().zip(counts);
        returned.flat_map(|((row, _), count)| std::iter::repeat_n((*row).clone(), count)).collect()
    }

    /// The rows that the sender may see.
    fn visible<'r>(&'r self, table: usize, rows: &'r [Bytes]) -> impl Iterator<Item = &'r Bytes> {
        rows.iter().filter(move |row| self.module.shows(table, self.sender, row))
    }

    /// The rows that the sender may see, decoded.
    fn read<'r>(&'r self, table: usize, rows: &'r [Bytes]) -> Vec<(&'r Bytes, Columns)> {
        let schema = &self.database.schemas[table];
        self.visible(table, rows).map(|row| (row, Columns::read(schema, row))).collect()
    }
}

/// The positions of a source's rows, by the value of one column.
type RowsByValue<'a> = HashMap<&'a SatsValue, Vec<usize>>;

/// All ways to choose one row of each source so that they join and pass.
struct Enumeration<'a> {
    query: &'a Query,
    sources: &'a [Vec<(&'a Bytes, Columns)>],
    sender: Identity,
    /// For each source that is joined by one of its own columns: its rows by that column, and the column that picks them.
    indexes: Vec<Option<(ColumnRef, RowsByValue<'a>)>>,
}

impl<'a> Enumeration<'a> {
    fn new(query: &'a Query, sources: &'a [Vec<(&'a Bytes, Columns)>], sender: Identity) -> Self {
        let index = |(position, source): (usize, &Source)| {
            let (own, other) = match source.on? {
                (left, right) if left.source == position => (left, right),
                (left, right) => (right, left),
            };
            if own.source != position || other.source >= position {
                return None;
            }
            let mut rows: HashMap<_, Vec<_>> = HashMap::new();
            for (row, (_, columns)) in sources[position].iter().enumerate() {
                if let Some(value) = columns.get(own.column) {
                    rows.entry(value).or_default().push(row);
                }
            }
            Some((other, rows))
        };
        let indexes = query.sources.iter().enumerate().map(index).collect();
        Self { query, sources, sender, indexes }
    }

    /// Calls `found` with the rows' positions in their sources.
    fn run(&self, found: &mut impl FnMut(&[usize])) {
        self.descend(&mut Vec::new(), &mut Vec::new(), found);
    }

    fn descend(
        &self,
        chosen: &mut Vec<usize>,
        rows: &mut Vec<&'a Columns>,
        found: &mut impl FnMut(&[usize]),
    ) {
        let position = chosen.len();
        let bindings = Bindings { sender: self.sender, rows };
        let Some(source) = self.sources.get(position) else {
            if self.query.filter.as_ref().is_none_or(|filter| filter.holds(bindings)) {
                found(chosen);
            }
            return;
        };
        let picked = self.indexes[position].as_ref().map(|(by, rows)| {
            bindings.column(*by).and_then(|value| rows.get(value)).cloned().unwrap_or_default()
        });
        for row in picked.unwrap_or_else(|| (0..source.len()).collect()) {
            chosen.push(row);
            rows.push(&source[row].1);
            if self.joins(position, Bindings { sender: self.sender, rows }) {
                self.descend(chosen, rows, found);
            }
            chosen.pop();
            rows.pop();
        }
    }

    /// Returns `true` if the last row joins with those before it.
    fn joins(&self, position: usize, bindings: Bindings<'_>) -> bool {
        let on = self.query.sources[position].on;
        on.is_none_or(|(left, right)| bindings.column(left) == bindings.column(right))
    }
}

/// The rows before a change that led to `after`.
fn undo(after: &[Bytes], delta: Option<&TableDelta>) -> Vec<Bytes> {
    let Some(delta) = delta else { return after.to_vec() };
    let inserted: std::collections::HashSet<_> = delta.inserts.iter().collect();
    let kept = after.iter().filter(|row| !inserted.contains(row));
    kept.chain(&delta.deletes).cloned().collect()
}

/// Rows that are in `rows` more often than in `others`, as often as they are more.
fn surplus(rows: &[Bytes], others: &[Bytes]) -> Vec<Bytes> {
    let mut left: HashMap<&Bytes, usize> = HashMap::new();
    for row in others {
        *left.entry(row).or_default() += 1;
    }
    let mut surplus = Vec::new();
    for row in rows {
        match left.get_mut(row) {
            Some(count) if *count > 0 => *count -= 1,
            _ => surplus.push(row.clone()),
        }
    }
    surplus
}
