//! Comparisons joined by "and" and "or".
//!
//! A [`Term`] is a comparison or a *group*, taken as it is or negated. A group holds where all of its terms do; so an
//! "or" is a negated group of negated terms, and negating anything flips one flag. Terms of a group that are groups of
//! the same kind are merged into it: into the larger one, in place where nobody else has it.
//!
//! # Invariants
//!
//! Trees may be as deep as the application makes them, and none of the functions here needs more stack for a deeper
//! one: beyond [`RECURSION_MAX`] levels they walk with a list of their own. `height` and `nesting` are those of the
//! tree, so that each knows in advance.

use core::mem;
use std::collections::VecDeque;
use std::sync::Arc;

use super::filter::Comparison;
use super::sql::QueryError;
use crate::types::Identity;

/// How many levels are walked by calling oneself, on the stack.
const RECURSION_MAX: u32 = 64;

/// How deeply "and" and "or" may alternate in a query: more than the server's parser takes, whose recursion ends at 50.
const NESTING_MAX: u32 = 64;

/// How many terms are written one behind the other. A server recurses once for each, and once for each level of groups.
const TERMS_IN_ROW: usize = 16;

/// How many terms of a group that somebody else has are copied, where else the group becomes a term as a whole.
const COPIED_MAX: usize = 16;

/// How terms are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    And,
    Or,
}

impl Join {
    const fn separator(self) -> &'static str {
        match self {
            Self::And => " AND ",
            Self::Or => " OR ",
        }
    }

    /// What none of them comes to.
    const fn of_none(self) -> &'static str {
        match self {
            Self::And => "TRUE",
            Self::Or => "FALSE",
        }
    }
}

/// A condition: see the [module](self).
pub(super) struct Term<R> {
    node: Arc<Node<R>>,
    negated: bool,
}

struct Node<R> {
    shape: Shape<R>,
    facts: Facts,
}

enum Shape<R> {
    Compare(Comparison<R>),
    /// All of them hold; none means always.
    Group(VecDeque<Term<R>>),
}

/// What is known of a tree without looking at it.
#[derive(Debug, Default, Clone, Copy)]
struct Facts {
    /// How many levels of groups there are.
    height: u32,
    /// How many of them differ in kind from the one around them: how deep parentheses are when it is written.
    nesting: u32,
    names_sender: bool,
}

impl Facts {
    fn and(self, other: Self) -> Self {
        Self {
            height: self.height.max(other.height),
            nesting: self.nesting.max(other.nesting),
            names_sender: self.names_sender || other.names_sender,
        }
    }
}

/// A group that is being put together.
struct Group<R> {
    terms: VecDeque<Term<R>>,
    /// Those of the group that it will be.
    facts: Facts,
}

impl<R> Clone for Term<R> {
    fn clone(&self) -> Self {
        Self { node: Arc::clone(&self.node), negated: self.negated }
    }
}

impl<R> Drop for Node<R> {
    /// Takes a tall tree apart level by level.
    fn drop(&mut self) {
        let Shape::Group(terms) = &mut self.shape else { return };
        if self.facts.height <= RECURSION_MAX {
            return;
        }
        let mut left = mem::take(terms);
        while let Some(term) = left.pop_back() {
            if let Some(mut node) = Arc::into_inner(term.node)
                && let Shape::Group(terms) = &mut node.shape
            {
                left.append(terms);
            }
        }
    }
}

/// Making.
impl<R> Term<R> {
    pub(super) fn compare(comparison: Comparison<R>) -> Self {
        let facts = Facts { names_sender: comparison.names_sender(), ..Facts::default() };
        let node = Node { shape: Shape::Compare(comparison), facts };
        Self { node: Arc::new(node), negated: false }
    }

    pub(super) fn negated(self) -> Self {
        Self { negated: !self.negated, ..self }
    }

    pub(super) fn joined(join: Join, terms: impl IntoIterator<Item = Self>) -> Self {
        let mut group = Group { terms: VecDeque::new(), facts: Facts::default() };
        for term in terms {
            match term.into_group(join) {
                Ok(more) => group.merge(more),
                Err(term) if join == Join::Or => group.push(term.negated()),
                Err(term) => group.push(term),
            }
        }
        group.into_term(join)
    }

    /// How its terms are joined, if it is a group.
    fn join(&self) -> Option<Join> {
        match (&self.node.shape, self.negated) {
            (Shape::Compare(_), _) => None,
            (Shape::Group(_), false) => Some(Join::And),
            (Shape::Group(_), true) => Some(Join::Or),
        }
    }

    /// A group that is joined by `join`, to be added to; itself if it is none, or if somebody else has it and it is not
    /// worth copying.
    fn into_group(self, join: Join) -> Result<Group<R>, Self> {
        if self.join() != Some(join) {
            return Err(self);
        }
        let Self { node, negated } = self;
        let facts = node.facts;
        match Arc::try_unwrap(node) {
            Ok(mut node) => match &mut node.shape {
                Shape::Group(terms) => Ok(Group { terms: mem::take(terms), facts }),
                Shape::Compare(_) => unreachable!("comparisons are not joined"),
            },
            Err(node) => match &node.shape {
                Shape::Group(terms) if terms.len() <= COPIED_MAX => {
                    Ok(Group { terms: terms.clone(), facts })
                }
                // Groups in groups would become ever taller.
                Shape::Group(terms) if facts.height >= RECURSION_MAX => {
                    let mut group = Group { terms: VecDeque::new(), facts: Facts::default() };
                    flat(terms).into_iter().for_each(|term| group.push(term.clone()));
                    Ok(group)
                }
                _ => Err(Self { node, negated }),
            },
        }
    }

    /// What it contributes to the facts of a group that it is in.
    fn facts_in_group(&self) -> Facts {
        let Facts { height, nesting, names_sender } = self.node.facts;
        let differs = match self.node.shape {
            // A group that is not negated is of the same kind as the one around it.
            Shape::Group(_) => self.negated,
            Shape::Compare(_) => false,
        };
        Facts {
            height: height.saturating_add(1),
            nesting: nesting + u32::from(differs),
            names_sender,
        }
    }
}

impl<R> Group<R> {
    fn push(&mut self, term: Term<R>) {
        self.facts = self.facts.and(term.facts_in_group());
        self.terms.push_back(term);
    }

    /// Adds the terms of another group behind those that are there, whichever are fewer being moved.
    fn merge(&mut self, mut more: Self) {
        self.facts = self.facts.and(more.facts);
        if more.terms.len() <= self.terms.len() {
            self.terms.append(&mut more.terms);
            return;
        }
        while let Some(term) = self.terms.pop_back() {
            more.terms.push_front(term);
        }
        self.terms = more.terms;
    }

    fn into_term(mut self, join: Join) -> Term<R> {
        if self.terms.len() == 1
            && let Some(only) = self.terms.pop_back()
        {
            return if join == Join::Or { only.negated() } else { only };
        }
        let node = Node { shape: Shape::Group(self.terms), facts: self.facts };
        Term { node: Arc::new(node), negated: join == Join::Or }
    }
}

/// The terms of a group, and those of groups of its own kind in it, in order.
fn flat<R>(terms: &VecDeque<Term<R>>) -> Vec<&Term<R>> {
    let mut flat = Vec::with_capacity(terms.len());
    let mut left: Vec<&Term<R>> = terms.iter().rev().collect();
    while let Some(term) = left.pop() {
        match &term.node.shape {
            Shape::Group(inner) if !term.negated => left.extend(inner.iter().rev()),
            _ => flat.push(term),
        }
    }
    flat
}

/// Testing rows.
impl<R> Term<R> {
    pub(super) fn names_sender(&self) -> bool {
        self.node.facts.names_sender
    }

    #[inline]
    pub(super) fn holds(&self, row: &R, sender: Option<&Identity>) -> bool {
        if self.node.facts.height <= RECURSION_MAX {
            self.node.holds(self.negated, row, sender)
        } else {
            self.holds_in_tall_tree(row, sender)
        }
    }

    /// As [`Node::holds`], with the groups that it is in on a list in place of the stack.
    fn holds_in_tall_tree(&self, row: &R, sender: Option<&Identity>) -> bool {
        // The terms of each group that are left, and the answer of one that decides.
        let mut groups = Vec::new();
        let (mut node, mut negated) = (&*self.node, self.negated);
        loop {
            let mut answer = match &node.shape {
                Shape::Compare(comparison) => comparison.holds(negated, row, sender),
                Shape::Group(terms) => {
                    groups.push((terms.iter(), negated));
                    !negated
                }
            };
            // Up, past the groups that are decided, to the next term.
            loop {
                let Some((terms, decides)) = groups.last_mut() else { return answer };
                let next = if answer == *decides { None } else { terms.next() };
                if let Some(term) = next {
                    (node, negated) = (&term.node, term.negated != *decides);
                    break;
                }
                answer = if answer == *decides { answer } else { !*decides };
                groups.pop();
            }
        }
    }
}

impl<R> Node<R> {
    fn holds(&self, negated: bool, row: &R, sender: Option<&Identity>) -> bool {
        match &self.shape {
            Shape::Compare(comparison) => comparison.holds(negated, row, sender),
            Shape::Group(terms) if negated => {
                terms.iter().any(|term| term.node.holds(!term.negated, row, sender))
            }
            Shape::Group(terms) => {
                terms.iter().all(|term| term.node.holds(term.negated, row, sender))
            }
        }
    }
}

/// Writing.
impl<R> Term<R> {
    /// Appends it as SQL, in parentheses where `outer` would take it apart.
    pub(super) fn push_sql(
        &self,
        sql: &mut String,
        table: &str,
        outer: Option<Join>,
    ) -> Result<(), QueryError> {
        let nesting = self.node.facts.nesting;
        if nesting > NESTING_MAX {
            // The server's answer to this is no row, should it be asked all the same.
            sql.push_str("FALSE");
            return Err(QueryError::TooDeep { nesting, limit: NESTING_MAX });
        }
        self.node.push_sql(self.negated, outer, &mut Output { sql, table })
    }
}

/// Where SQL is written.
struct Output<'a> {
    sql: &'a mut String,
    table: &'a str,
}

impl Output<'_> {
    fn in_parentheses(
        &mut self,
        push: impl FnOnce(&mut Self) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.sql.push('(');
        let pushed = push(self);
        self.sql.push(')');
        pushed
    }

    /// Writes all of them, and returns the first error.
    fn joined<T>(
        &mut self,
        join: Join,
        items: impl Iterator<Item = T>,
        mut push: impl FnMut(&mut Self, T) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let mut done = Ok(());
        for (at, item) in items.enumerate() {
            self.sql.push_str(if at == 0 { "" } else { join.separator() });
            let pushed = push(self, item);
            done = done.and(pushed);
        }
        done
    }

    /// Writes the terms of a group: a few one behind the other, more in groups of groups.
    fn terms<R>(&mut self, join: Join, terms: &[&Term<R>]) -> Result<(), QueryError> {
        let mut group = 1;
        while terms.len().div_ceil(group) > TERMS_IN_ROW {
            group *= TERMS_IN_ROW;
        }
        self.joined(join, terms.chunks(group), |out, terms| match terms {
            [term] => term.node.push_sql(term.negated != (join == Join::Or), Some(join), out),
            terms => out.in_parentheses(|out| out.terms(join, terms)),
        })
    }
}

impl<R> Node<R> {
    fn push_sql(
        &self,
        negated: bool,
        outer: Option<Join>,
        out: &mut Output<'_>,
    ) -> Result<(), QueryError> {
        let (terms, join) = match &self.shape {
            Shape::Compare(comparison) => return comparison.push_sql(negated, out.sql, out.table),
            Shape::Group(terms) => (flat(terms), if negated { Join::Or } else { Join::And }),
        };
        if terms.is_empty() {
            out.sql.push_str(join.of_none());
            return Ok(());
        }
        // AND binds closer.
        if join == Join::Or && outer == Some(Join::And) {
            out.in_parentheses(|out| out.terms(join, &terms))
        } else {
            out.terms(join, &terms)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::query::{Filter, QueryError};
    use crate::schema::{Column, Kind, Plain};

    const N: Column<u32, u32, Kind<Plain, Plain>> = Column::new(0, "n", |row| row);

    fn sql(filter: &Filter<u32>) -> String {
        let mut sql = String::new();
        filter.push_sql(&mut sql, "t").expect("it is not too deep");
        sql.replace("\"t\".\"n\" = ", "")
    }

    /// How deeply parentheses are nested in a text.
    fn parentheses(sql: &str) -> usize {
        let depths = sql.chars().scan(0_usize, |depth, c| {
            match c {
                '(' => *depth += 1,
                ')' => *depth -= 1,
                _ => (),
            }
            Some(*depth)
        });
        depths.max().unwrap_or(0)
    }

    /// The most terms in a row between parentheses.
    fn longest_row(sql: &str) -> usize {
        let mut rows = vec![1];
        let mut longest = 1;
        for word in sql.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
            match word {
                "(" => rows.push(1),
                ")" => drop(rows.pop()),
                "OR" | "AND" => *rows.last_mut().expect("parentheses match") += 1,
                _ => (),
            }
            longest = longest.max(*rows.last().expect("parentheses match"));
        }
        longest
    }

    #[test]
    fn many_terms_are_written_as_balanced_tree() {
        for (terms, text) in [
            (3, "0 OR 1 OR 2".to_owned()),
            (
                17,
                format!(
                    "({}) OR 16",
                    (0..16).map(|n| n.to_string()).collect::<Vec<_>>().join(" OR ")
                ),
            ),
        ] {
            assert_eq!(sql(&N.is_in(0..terms)), text);
        }
        for terms in [2000, 100_000] {
            for filter in [N.is_in(0..terms), Filter::all_of((0..terms).map(|n| N.ne(n)))] {
                let sql = sql(&filter);
                assert!(parentheses(&sql) <= 5 && longest_row(&sql) <= 16, "{terms} terms");
                assert!(filter.matches(&(terms - 1)) != filter.matches(&terms));
            }
        }
    }

    #[test]
    fn joining_in_loop_takes_linear_time() {
        const TERMS: u32 = 100_000;
        let (none, all) = (Filter::any_of([]), Filter::all_of([]));
        let behind = (0..TERMS).fold(none.clone(), |all, n| all.or(N.eq(n)));
        let before = (0..TERMS / 5).fold(none.clone(), |all, n| N.eq(n).or(all));
        let and = (0..TERMS / 5).fold(all, |all, n| all.and(N.ne(n)));
        let negated = (0..TERMS / 5).fold(none.clone(), |all, n| all.not().and(N.ne(n)).not());
        let mut shared = none;
        for n in 0..TERMS / 10 {
            let kept = shared.clone();
            shared = shared.or(N.eq(n));
            assert!(n % 1000 != 0 || !kept.matches(&TERMS));
        }
        for filter in [behind, before, and.not(), negated, shared] {
            let sql = sql(&filter);
            assert!(parentheses(&sql) <= 5 && longest_row(&sql) <= 16);
            assert!(filter.matches(&0) && filter.matches(&9_999) && !filter.matches(&TERMS));
        }
    }

    #[test]
    fn deep_conditions_need_no_deep_stack() {
        // On a small stack, so that it is the depth that is tested and not the size of a frame.
        let test = || {
            let deep = |levels: u32| {
                (0..levels).fold(N.eq(u32::MAX), |inner, n| inner.and(N.ge(n)).or(N.eq(n)))
            };
            let filter = deep(50_000);
            assert!(filter.matches(&u32::MAX) && filter.matches(&49_999));
            assert!(!filter.matches(&50_000) && !filter.matches(&7));
            let opposite = filter.clone().not();
            assert!(!opposite.matches(&49_999) && opposite.matches(&7) && !opposite.names_sender());
            let error = filter.push_sql(&mut String::new(), "t").unwrap_err();
            assert_eq!(error, QueryError::TooDeep { nesting: 99_999, limit: 64 });
            assert!(format!("{filter:?}").contains("FALSE"));
            assert!(deep(32).push_sql(&mut String::new(), "t").is_ok());
        };
        let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(test);
        thread.expect("there is a thread").join().expect("no stack overflows");
    }

    #[test]
    fn trees_of_any_shape_agree_with_plain_tests() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |limit: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % limit
        };
        let rows = 0..8_u32;
        let test =
            |filter: &Filter<u32>| rows.clone().map(|row| filter.matches(&row)).collect::<Vec<_>>();
        let mut known: Vec<(Filter<u32>, Vec<bool>)> = Vec::new();
        for round in 0..3_000 {
            // Trees of trees double with each step.
            if round % 30 == 0 {
                let simple = |n| (N.le(n), rows.clone().map(|row| row <= n).collect());
                known = rows.clone().map(simple).collect();
            }
            let (a, holds_a) = known[below(known.len() as u64) as usize].clone();
            let (b, holds_b) = known[below(known.len() as u64) as usize].clone();
            let both = holds_a.iter().zip(&holds_b);
            let (filter, holds): (_, Vec<bool>) = match below(3) {
                0 => (a.and(b), both.map(|(a, b)| *a && *b).collect()),
                1 => (a.or(b), both.map(|(a, b)| *a || *b).collect()),
                _ => (a.not(), holds_a.iter().map(|a| !a).collect()),
            };
            assert_eq!(test(&filter), holds, "{filter:?}");
            known.push((filter, holds));
        }
    }
}
