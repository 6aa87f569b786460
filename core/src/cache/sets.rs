//! Which query sets hold a row, and how often each: four bytes a row, an id into lists that nearly all rows share.

use foldhash::{HashMap, HashMapExt};

/// The machine's own number of a query set, the same over all connections. Not the wire's `QuerySetId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub u32);

impl core::fmt::Display for SetId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "set {}", self.0)
    }
}

/// An interned list of sets and multiplicities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ListId(u32);

impl ListId {
    /// No set holds the row.
    pub(super) const EMPTY: Self = Self(0);
    /// The row's death is already among the changes of the message under way. Never interned.
    pub(super) const GONE: Self = Self(u32::MAX);
}

/// How often a set holds a row. Never 0.
type Member = (SetId, u32);

#[derive(Debug)]
struct List {
    /// In the sets' order.
    members: Box<[Member]>,
    /// How many rows have this list.
    rows: usize,
}

/// The lists of one table's rows.
///
/// # Invariants
///
/// `lists[0]` is the empty one. A list's `rows` is the number of slots that carry its id, which the table keeps by
/// moving every change through [`move_row`](Self::move_row).
#[derive(Debug)]
pub(super) struct SetLists {
    lists: Vec<List>,
    by_members: HashMap<Box<[Member]>, ListId>,
    /// What a list becomes by one more or one less of a set; none if it has none of the set.
    steps: HashMap<(ListId, SetId, Step), Option<ListId>>,
    /// Ids to use again.
    free: Vec<ListId>,
}

/// One more or one less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    More,
    Less,
}

/// How many lists that no row has are worth a pass to forget them.
const UNUSED_LISTS_MAX: usize = 256;

impl SetLists {
    pub(super) fn new() -> Self {
        let empty = List { members: Box::default(), rows: 0 };
        let mut by_members = HashMap::new();
        by_members.insert(Box::default(), ListId::EMPTY);
        Self { lists: vec![empty], by_members, steps: HashMap::new(), free: Vec::new() }
    }

    /// Counts a row that moved from one list to another.
    #[inline]
    pub(super) fn move_row(&mut self, from: ListId, to: ListId) {
        if let Some(list) = self.lists.get_mut(from.0 as usize) {
            list.rows = list.rows.saturating_sub(1);
        }
        if let Some(list) = self.lists.get_mut(to.0 as usize) {
            list.rows += 1;
        }
    }

    /// `list` with one more or one less of `set`; none if there is none to take away.
    pub(super) fn step(&mut self, list: ListId, set: SetId, step: Step) -> Option<ListId> {
        if let Some(&known) = self.steps.get(&(list, set, step)) {
            return known;
        }
        let members = &self.lists[list.0 as usize].members;
        let next = stepped(members, set, step).map(|members| self.intern(members));
        self.steps.insert((list, set, step), next);
        next
    }

    /// `list` without `set`; none if it does not name it.
    pub(super) fn without(&mut self, list: ListId, set: SetId) -> Option<ListId> {
        let members = &self.lists.get(list.0 as usize)?.members;
        members.binary_search_by_key(&set, |member| member.0).ok()?;
        let rest = members.iter().copied().filter(|member| member.0 != set).collect();
        Some(self.intern(rest))
    }

    /// Whether `list` names `set`.
    pub(super) fn names(&self, list: ListId, set: SetId) -> bool {
        self.members(list).binary_search_by_key(&set, |member| member.0).is_ok()
    }

    /// Whether any row's list names `set`.
    pub(super) fn any_names(&self, set: SetId) -> bool {
        (0..self.lists.len()).any(|id| {
            let id = ListId(id as u32);
            self.lists[id.0 as usize].rows > 0 && self.names(id, set)
        })
    }

    pub(super) fn members(&self, list: ListId) -> &[Member] {
        self.lists.get(list.0 as usize).map_or(&[], |list| &list.members)
    }

    /// `list` with more members, which it does not name.
    pub(super) fn with(&mut self, list: ListId, more: &[Member]) -> ListId {
        let mut members = [self.members(list), more].concat();
        members.sort_unstable();
        self.intern(members.into())
    }

    /// The list with these members, which are those of another table's list.
    pub(super) fn intern_members(&mut self, members: &[Member]) -> ListId {
        self.intern(members.into())
    }

    /// Forgets lists that no row has, if there are many. No list id may be remembered outside of the slots.
    pub(super) fn sweep(&mut self) {
        let unused = |list: &&List| list.rows == 0 && !list.members.is_empty();
        let count = self.lists.iter().filter(unused).count();
        if count < UNUSED_LISTS_MAX.max(self.lists.len() / 2) {
            return;
        }
        self.steps.clear();
        for (id, list) in self.lists.iter_mut().enumerate() {
            if list.rows == 0 && !list.members.is_empty() {
                self.by_members.remove(&list.members);
                list.members = Box::default();
                self.free.push(ListId(id as u32));
            }
        }
    }

    fn intern(&mut self, members: Box<[Member]>) -> ListId {
        if let Some(&id) = self.by_members.get(&members) {
            return id;
        }
        let list = List { members: members.clone(), rows: 0 };
        let id = match self.free.pop() {
            Some(id) => {
                self.lists[id.0 as usize] = list;
                id
            }
            None => {
                self.lists.push(list);
                ListId(self.lists.len() as u32 - 1)
            }
        };
        self.by_members.insert(members, id);
        id
    }
}

fn stepped(members: &[Member], set: SetId, step: Step) -> Option<Box<[Member]>> {
    let mut members = members.to_vec();
    match (members.binary_search_by_key(&set, |member| member.0), step) {
        (Ok(at), Step::More) => members[at].1 = members[at].1.checked_add(1)?,
        (Err(at), Step::More) => members.insert(at, (set, 1)),
        (Ok(at), Step::Less) if members[at].1 == 1 => drop(members.remove(at)),
        (Ok(at), Step::Less) => members[at].1 -= 1,
        (Err(_), Step::Less) => return None,
    }
    Some(members.into())
}

/// Takes the same step for one row after the other, most of which have the same list.
#[derive(Debug)]
pub(super) struct Stepper {
    set: SetId,
    step: Step,
    last: Option<(ListId, ListId)>,
}

impl Stepper {
    pub(super) fn new(set: SetId, step: Step) -> Self {
        Self { set, step, last: None }
    }

    /// What `list` becomes, or none if that is impossible. The row is not counted as moved.
    #[inline]
    pub(super) fn next(&mut self, lists: &mut SetLists, list: ListId) -> Option<ListId> {
        match self.last {
            Some((from, to)) if from == list => Some(to),
            _ => {
                let to = lists.step(list, self.set, self.step)?;
                self.last = Some((list, to));
                Some(to)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SetId = SetId(1);
    const B: SetId = SetId(2);

    #[test]
    fn the_same_members_are_the_same_list_however_reached() {
        let mut lists = SetLists::new();
        let a = lists.step(ListId::EMPTY, A, Step::More).unwrap();
        let ab = lists.step(a, B, Step::More).unwrap();
        let b = lists.step(ListId::EMPTY, B, Step::More).unwrap();
        assert_eq!(lists.step(b, A, Step::More), Some(ab));
        assert_eq!(lists.step(ab, A, Step::Less), Some(b));
        assert_eq!(lists.step(b, A, Step::Less), None);
        assert_eq!(lists.step(b, B, Step::Less), Some(ListId::EMPTY));
    }

    #[test]
    fn dropping_a_set_takes_all_its_multiplicity() {
        let mut lists = SetLists::new();
        let a = lists.step(ListId::EMPTY, A, Step::More).unwrap();
        let aa = lists.step(a, A, Step::More).unwrap();
        let aab = lists.step(aa, B, Step::More).unwrap();
        let b = lists.without(aab, A).unwrap();
        assert_eq!(lists.members(b), [(B, 1)]);
        assert_eq!(lists.without(b, A), None);
    }

    #[test]
    fn lists_that_no_row_has_are_forgotten_when_there_are_many() {
        let mut lists = SetLists::new();
        let kept = lists.step(ListId::EMPTY, A, Step::More).unwrap();
        lists.move_row(ListId::EMPTY, kept);
        for set in 10..1000 {
            lists.step(ListId::EMPTY, SetId(set), Step::More).unwrap();
        }
        lists.sweep();
        assert!(lists.free.len() > 900);
        assert_eq!(lists.step(ListId::EMPTY, A, Step::More), Some(kept));
        assert!(lists.any_names(A) && !lists.any_names(SetId(10)));
    }
}
