//! Which rows a query returns, and how a transaction changes them.

use std::collections::HashMap;

use bytes::Bytes;
use lightlike_core::schema::{SatsValue, TableKind};
use lightlike_core::types::Identity;

use super::views::{ViewChanges, Views};
use crate::database::{Database, Delta, TableDelta};
use crate::sql::{Bindings, Columns, Join, Query};

/// What queries are evaluated over: the tables as one caller sees them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) database: &'a Database,
    pub(crate) views: &'a Views,
    pub(crate) sender: Identity,
}

/// What one transaction changed, views included.
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
        let own = self.rows(query.table);
        let other = query.join.as_ref().map(|join| self.rows(join.table));
        if own.is_empty() || other.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        Some(self.filter(query, &own, other.as_deref().unwrap_or_default()))
    }

    /// How a transaction, whose outcome this scene shows, changed what `query` returns; none if it did not.
    pub(crate) fn change(&self, query: &Query, committed: &Committed) -> Option<TableDelta> {
        let own = committed.of(query.table, self.sender);
        let other = query.join.as_ref().and_then(|join| committed.of(join.table, self.sender));
        if own.is_none() && other.is_none() {
            return None;
        }
        let delta = match &query.join {
            None => {
                let own = own?;
                TableDelta {
                    inserts: self.filter(query, &own.inserts, &[]),
                    deletes: self.filter(query, &own.deletes, &[]),
                }
            }
            Some(join) => self.join_change(query, join, own, other),
        };
        (!delta.is_empty()).then_some(delta)
    }

    /// Whether the query's rows are events.
    pub(crate) fn returns_events(&self, query: &Query) -> bool {
        self.database.schemas[query.table].kind == TableKind::Event
    }

    fn join_change(
        &self,
        query: &Query,
        join: &Join,
        own: Option<&TableDelta>,
        other: Option<&TableDelta>,
    ) -> TableDelta {
        let is_event = self.returns_events(query);
        let mut own_after = self.rows(query.table);
        // Events are never stored: they join with what is there when they happen.
        let own_before = if is_event { Vec::new() } else { before(&own_after, own) };
        if is_event {
            own_after = own.map(|own| own.inserts.clone()).unwrap_or_default();
        }
        let other_after = self.rows(join.table);
        let other_before = before(&other_after, other);
        let after = self.filter(query, &own_after, &other_after);
        let before = self.filter(query, &own_before, &other_before);
        TableDelta { inserts: surplus(&after, &before), deletes: surplus(&before, &after) }
    }

    fn rows(&self, table: usize) -> Vec<Bytes> {
        match self.database.schemas[table].kind {
            TableKind::View => self.views.rows(table, self.sender).to_vec(),
            _ => self.database.rows(table).cloned().collect(),
        }
    }

    /// Those of `own` that pass, each once, or once a row of `other` that it joins with.
    fn filter(&self, query: &Query, own: &[Bytes], other: &[Bytes]) -> Vec<Bytes> {
        let schema = &self.database.schemas[query.table];
        let passes = |own: &Columns, other: Option<&Columns>| {
            let bindings = Bindings { sender: self.sender, own, other };
            query.filter.as_ref().is_none_or(|filter| filter.holds(bindings))
        };
        let Some(join) = &query.join else {
            if query.filter.is_none() {
                return own.to_vec();
            }
            return own
                .iter()
                .filter(|row| passes(&Columns::read(schema, row), None))
                .cloned()
                .collect();
        };
        let other_schema = &self.database.schemas[join.table];
        let mut by_value: HashMap<SatsValue, Vec<Columns>> = HashMap::new();
        for row in other {
            let columns = Columns::read(other_schema, row);
            if let Some(value) = columns.get(join.other_column) {
                by_value.entry(value.clone()).or_default().push(columns);
            }
        }
        let matches = |row: &Bytes| {
            let columns = Columns::read(schema, row);
            let others = columns.get(join.own_column).and_then(|value| by_value.get(value));
            others.map_or(0, |others| {
                others.iter().filter(|other| passes(&columns, Some(other))).count()
            })
        };
        own.iter().flat_map(|row| std::iter::repeat_n(row.clone(), matches(row))).collect()
    }
}

/// The rows before a change that led to `after`.
fn before(after: &[Bytes], delta: Option<&TableDelta>) -> Vec<Bytes> {
    let Some(delta) = delta else { return after.to_vec() };
    let inserted: std::collections::HashSet<_> = delta.inserts.iter().collect();
    let kept = after.iter().filter(|row| !inserted.contains(row));
    kept.chain(&delta.deletes).cloned().collect()
}

/// What is in `rows` more often than in `others`, as often as it is more.
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
