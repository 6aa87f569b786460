//! What frames say, counted in the dumbest way: each query set's rows with how often each stands in it, and all of them
//! looked at again after each message. It shares no code with the cache and the machine.

use std::collections::{BTreeMap, BTreeSet};

use lightlike_core::wire::{
    BatchResult, ClientMessage, ProcedureStatus, QueryRows, QuerySetId, ReducerOutcome, RequestId,
    RowList, ServerMessage, TableName, TableRows, TransactionUpdate, UpdateRows,
};

/// The rows of each table that has any.
pub(crate) type Tables = BTreeMap<String, BTreeSet<Vec<u8>>>;

/// Event that an application should get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Greeted,
    /// The tables that a message changed.
    Changed(BTreeMap<String, Changed>),
    Applied(QuerySetId),
    Unsubscribed(QuerySetId),
    Refused(QuerySetId, String),
    Answered(RequestId, Answer),
}

/// Changes of a message in one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) came: BTreeSet<Vec<u8>>,
    pub(crate) left: BTreeSet<Vec<u8>>,
    /// Number of rows that were delivered without being kept.
    pub(crate) events: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Committed(Vec<u8>),
    Rejected(Vec<u8>),
    Returned(Vec<u8>),
    Failed(String),
    Rows(QueryRows),
    QueryRefused(String),
}

/// All query sets of a connection.
#[derive(Debug, Default)]
pub(crate) struct Model {
    sets: BTreeMap<QuerySetId, Set>,
    /// Calls and queries without an answer.
    pub(crate) unanswered: BTreeSet<RequestId>,
}

#[derive(Debug, Default)]
struct Set {
    applied: bool,
    /// The client has asked for its end.
    ending: bool,
    /// The client asked for its end before it was applied: it never looks at its rows.
    ignored: bool,
    rows: BTreeMap<(String, Vec<u8>), i64>,
}

impl Model {
    pub(crate) fn client(&mut self, message: &ClientMessage) {
        match message {
            ClientMessage::Subscribe { query_set_id, .. } => self.ask(*query_set_id),
            ClientMessage::SubscribeBatch { sets, .. } => {
                sets.iter().for_each(|set| self.ask(set.query_set_id));
            }
            ClientMessage::Unsubscribe { query_set_id, .. } => {
                if let Some(set) = self.sets.get_mut(query_set_id) {
                    set.ending = true;
                    set.ignored |= !set.applied;
                }
            }
            ClientMessage::OneOffQuery { request_id, .. }
            | ClientMessage::CallReducer { request_id, .. }
            | ClientMessage::CallProcedure { request_id, .. } => {
                assert!(self.unanswered.insert(*request_id), "{request_id} is asked twice");
            }
        }
    }

    fn ask(&mut self, set: QuerySetId) {
        let replaced = self.sets.insert(set, Set::default());
        assert!(replaced.is_none(), "the recorded client uses {set:?} twice");
    }

    /// Returns `true` if the connection has this query set.
    pub(crate) fn has(&self, set: QuerySetId) -> bool {
        self.sets.contains_key(&set)
    }

    /// The connection is lost: a set that was about to end has ended. Whether it was.
    pub(crate) fn end(&mut self, set: QuerySetId) -> bool {
        self.sets.remove(&set).is_some_and(|set| set.ending)
    }

    /// The query sets that are not over.
    pub(crate) fn open_sets(&self) -> BTreeSet<QuerySetId> {
        self.sets.keys().copied().collect()
    }

    /// The rows of each query set, each as often as it stands in it: what a server answers who is asked for the set again.
    pub(crate) fn rows_of_sets(&self) -> BTreeMap<QuerySetId, QueryRows> {
        self.sets.iter().map(|(id, set)| (*id, set.to_rows())).collect()
    }

    /// Every row that some query set holds.
    pub(crate) fn tables(&self) -> Tables {
        let mut tables = Tables::new();
        for (table, row) in self.sets.values().flat_map(|set| set.rows.keys()) {
            tables.entry(table.clone()).or_default().insert(row.clone());
        }
        tables
    }

    /// Events that the application should get for a message, in order: of a batch, set by set.
    pub(crate) fn server(&mut self, message: &ServerMessage) -> Vec<Told> {
        match message {
            ServerMessage::SubscribeBatchApplied { results, .. } => {
                let told = results.iter().flat_map(|result| {
                    self.with_changes(|model, _| model.batch_result(result).into_iter().collect())
                });
                told.collect()
            }
            message => self.with_changes(|model, events| model.take_in(message, events)),
        }
    }

    /// Events of `take_in`, behind its changes.
    fn with_changes(
        &mut self,
        take_in: impl FnOnce(&mut Self, &mut BTreeMap<String, usize>) -> Vec<Told>,
    ) -> Vec<Told> {
        let before = self.tables();
        let mut events = BTreeMap::new();
        let then = take_in(self, &mut events);
        let changed = changed(&before, &self.tables(), &events);
        let changed = (!changed.is_empty()).then_some(Told::Changed(changed));
        changed.into_iter().chain(then).collect()
    }

    fn take_in(
        &mut self,
        message: &ServerMessage,
        events: &mut BTreeMap<String, usize>,
    ) -> Vec<Told> {
        match message {
            ServerMessage::InitialConnection { .. } => vec![Told::Greeted],
            ServerMessage::SubscribeApplied { query_set_id, rows, .. } => {
                self.applied(*query_set_id, rows).into_iter().collect()
            }
            ServerMessage::SubscribeBatchApplied { .. } => unreachable!("it is taken apart before"),
            ServerMessage::UnsubscribeApplied { query_set_id, rows, .. } => {
                self.unsubscribed(*query_set_id, rows.as_ref())
            }
            ServerMessage::SubscriptionError { query_set_id, error, .. } => {
                self.refused(*query_set_id, error).into_iter().collect()
            }
            ServerMessage::TransactionUpdate(update) => {
                self.update(update, events);
                Vec::new()
            }
            ServerMessage::ReducerResult { request_id, outcome, .. } => {
                let answer = match outcome {
                    ReducerOutcome::Ok { ret_value, update } => {
                        self.update(update, events);
                        Answer::Committed(ret_value.to_vec())
                    }
                    ReducerOutcome::OkEmpty => Answer::Committed(Vec::new()),
                    ReducerOutcome::Err(error) => Answer::Rejected(error.to_vec()),
                    ReducerOutcome::InternalError(error) => Answer::Failed(error.to_string()),
                };
                vec![self.answered(*request_id, answer)]
            }
            ServerMessage::ProcedureResult { request_id, status, .. } => {
                let answer = match status {
                    ProcedureStatus::Returned(value) => Answer::Returned(value.to_vec()),
                    ProcedureStatus::InternalError(error) => Answer::Failed(error.to_string()),
                };
                vec![self.answered(*request_id, answer)]
            }
            ServerMessage::OneOffQueryResult { request_id, result } => {
                let answer = match result {
                    Ok(rows) => Answer::Rows(rows.clone()),
                    Err(error) => Answer::QueryRefused(error.to_string()),
                };
                vec![self.answered(*request_id, answer)]
            }
        }
    }

    fn answered(&mut self, request: RequestId, answer: Answer) -> Told {
        assert!(self.unanswered.remove(&request), "{request} is answered and not open");
        Told::Answered(request, answer)
    }

    fn applied(&mut self, id: QuerySetId, rows: &QueryRows) -> Option<Told> {
        let set = self.sets.get_mut(&id).expect("the applied set was asked for");
        set.applied = true;
        if set.ignored {
            return None;
        }
        for table in &rows.tables {
            set.add(&table.table, &table.rows, 1);
        }
        set.settle();
        Some(Told::Applied(id))
    }

    fn batch_result(&mut self, result: &BatchResult) -> Option<Told> {
        match &result.outcome {
            Ok(rows) => self.applied(result.query_set_id, rows),
            Err(error) => self.refused(result.query_set_id, error),
        }
    }

    fn refused(&mut self, id: QuerySetId, error: &str) -> Option<Told> {
        let set = self.sets.remove(&id)?;
        Some(if set.ending { Told::Unsubscribed(id) } else { Told::Refused(id, error.to_owned()) })
    }

    fn unsubscribed(&mut self, id: QuerySetId, dropped: Option<&QueryRows>) -> Vec<Told> {
        let set = self.sets.remove(&id).expect("the ended set was there");
        if let Some(dropped) = dropped.filter(|_| !set.ignored) {
            let mut said = Set::default();
            for table in &dropped.tables {
                said.add(&table.table, &table.rows, 1);
            }
            assert_eq!(said.rows, set.rows, "the server dropped other rows than {id:?} had");
        }
        vec![Told::Unsubscribed(id)]
    }

    fn update(&mut self, update: &TransactionUpdate, events: &mut BTreeMap<String, usize>) {
        let mut seen = BTreeSet::new();
        for of_set in &update.query_sets {
            let set = self.sets.get_mut(&of_set.query_set_id).expect("the updated set is there");
            if set.ignored {
                continue;
            }
            for of_table in &of_set.tables {
                let table = of_table.table.as_str();
                for rows in &of_table.rows {
                    match rows {
                        UpdateRows::Persistent { inserts, deletes } => {
                            set.add(table, inserts, 1);
                            set.add(table, deletes, -1);
                        }
                        UpdateRows::Event { events: rows } => {
                            // An event that several query sets carry is told once.
                            let new = rows
                                .iter()
                                .filter(|row| seen.insert((table.to_owned(), row.to_vec())));
                            *events.entry(table.to_owned()).or_default() += new.count();
                        }
                    }
                }
            }
            set.settle();
        }
    }
}

impl Set {
    fn add(&mut self, table: &str, rows: &RowList, times: i64) {
        for row in rows {
            *self.rows.entry((table.to_owned(), row.to_vec())).or_default() += times;
        }
    }

    fn to_rows(&self) -> QueryRows {
        let mut tables: BTreeMap<&String, Vec<&Vec<u8>>> = BTreeMap::new();
        for ((table, row), count) in &self.rows {
            tables.entry(table).or_default().extend((0..*count).map(|_| row));
        }
        let tables = tables.into_iter().map(|(table, rows)| TableRows {
            table: TableName::from(&**table),
            rows: RowList::from_rows(rows),
        });
        QueryRows { tables: tables.collect() }
    }

    /// A message is over: what it took must have been there.
    fn settle(&mut self) {
        for ((table, row), count) in &self.rows {
            assert!(*count >= 0, "{row:?} of {table} was deleted more often than it came");
        }
        self.rows.retain(|_, count| *count > 0);
    }
}

/// Differences of `after`, a table each, and what was delivered besides.
pub(crate) fn changed(
    before: &Tables,
    after: &Tables,
    events: &BTreeMap<String, usize>,
) -> BTreeMap<String, Changed> {
    let names = before.keys().chain(after.keys()).chain(events.keys());
    let none = BTreeSet::new();
    let changes = names.map(|name| {
        let (old, new) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
        let changed = Changed {
            came: new.difference(old).cloned().collect(),
            left: old.difference(new).cloned().collect(),
            events: events.get(name).copied().unwrap_or_default(),
        };
        (name.clone(), changed)
    });
    changes.filter(|(_, changed)| *changed != Changed::default()).collect()
}
