//! Reference counts of rows by query set: four bytes a row, an id into lists that nearly all rows share.

use core::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashMapExt};
use hashbrown::HashTable;

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
pub(in crate::cache) struct ListId(u32);

impl ListId {
    /// No set holds the row.
    pub(in crate::cache) const EMPTY: Self = Self(0);
    /// The row's delete is already among the changes of the message under way. Never interned.
    pub(in crate::cache) const GONE: Self = Self(u32::MAX);
}

/// Query set, and how often it holds a row. Never 0.
pub(in crate::cache) type Member = (SetId, u32);

#[derive(Debug)]
struct List {
    /// In the sets' order.
    members: Box<[Member]>,
    /// The sum of its members' hashes, so that one more or one less does not take a look at all of them.
    hash: u64,
    /// Number of rows with this list.
    rows: usize,
}

/// The lists of one table's rows.
///
/// # Invariants
///
/// `lists[0]` is the empty one. A list's `rows` is the number of slots that carry its id, which the table keeps by
/// moving every change through [`move_row`](Self::move_row). `unused` is the [`cost`](List::cost) of all lists that have no
/// rows.
#[derive(Debug)]
pub(in crate::cache) struct SetLists {
    lists: Vec<List>,
    unused: usize,
    hasher: RandomState,
    by_members: HashTable<ListId>,
    /// List that another becomes by one more or one less of a set; none if it has none of the set.
    steps: HashMap<(ListId, SetId, Step), Option<ListId>>,
    /// Ids to use again.
    free: Vec<ListId>,
}

/// One more or one less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::cache) enum Step {
    More,
    Less,
}

impl List {
    /// Cost of keeping it, in members: its own, and about as much as sixteen for the list and the steps to it. None for
    /// the empty one.
    fn cost(&self) -> usize {
        if self.members.is_empty() { 0 } else { self.members.len() + 16 }
    }
}

/// Maximal cost of lists that no row has before they are forgotten: 8 MiB. A row that a thousand sets hold goes through two
/// thousand lists when it changes, which take this much, and are there the next time.
const UNUSED_COST_MAX: usize = 1 << 20;

impl SetLists {
    pub(in crate::cache) fn new() -> Self {
        let mut lists = Self {
            lists: vec![List { members: Box::default(), hash: 0, rows: 0 }],
            unused: 0,
            hasher: RandomState::default(),
            by_members: HashTable::new(),
            steps: HashMap::new(),
            free: Vec::new(),
        };
        lists.by_members.insert_unique(0, ListId::EMPTY, |_| 0);
        lists
    }

    /// Counts a row that moved from one list to another.
    #[inline]
    pub(in crate::cache) fn move_row(&mut self, from: ListId, to: ListId) {
        if let Some(list) = self.lists.get_mut(from.0 as usize) {
            list.rows = list.rows.saturating_sub(1);
            if list.rows == 0 {
                self.unused += list.cost();
            }
        }
        if let Some(list) = self.lists.get_mut(to.0 as usize) {
            if list.rows == 0 {
                self.unused -= list.cost();
            }
            list.rows += 1;
        }
    }

    /// `list` with one more or one less of `set`; none if there is none to take away.
    pub(in crate::cache) fn step(
        &mut self,
        list: ListId,
        set: SetId,
        step: Step,
    ) -> Option<ListId> {
        if let Some(&known) = self.steps.get(&(list, set, step)) {
            return known;
        }
        let List { members, hash, .. } = &self.lists[list.0 as usize];
        let hash = *hash;
        let next = stepped(members, set, step).map(|Stepped { members, before, after }| {
            let hash = hash
                .wrapping_sub(self.hash_member((set, before)))
                .wrapping_add(self.hash_member((set, after)));
            self.intern_hashed(members, hash)
        });
        self.steps.insert((list, set, step), next);
        next
    }

    /// `list` without `set`; none if it does not name it.
    pub(in crate::cache) fn without(&mut self, list: ListId, set: SetId) -> Option<ListId> {
        let members = &self.lists.get(list.0 as usize)?.members;
        members.binary_search_by_key(&set, |member| member.0).ok()?;
        let rest = members.iter().copied().filter(|member| member.0 != set).collect();
        Some(self.intern(rest))
    }

    /// Returns `true` if `list` names `set`.
    pub(in crate::cache) fn names(&self, list: ListId, set: SetId) -> bool {
        self.members(list).binary_search_by_key(&set, |member| member.0).is_ok()
    }

    /// Returns `true` if any row's list names `set`.
    pub(in crate::cache) fn any_names(&self, set: SetId) -> bool {
        (0..self.lists.len()).any(|id| {
            let id = ListId(id as u32);
            self.lists[id.0 as usize].rows > 0 && self.names(id, set)
        })
    }

    /// Counts the rows of each set, by the lists that rows have.
    pub(in crate::cache) fn held(&self, count: &mut dyn FnMut(SetId, usize)) {
        for list in self.lists.iter().filter(|list| list.rows > 0) {
            list.members.iter().for_each(|(set, _)| count(*set, list.rows));
        }
    }

    pub(in crate::cache) fn members(&self, list: ListId) -> &[Member] {
        self.lists.get(list.0 as usize).map_or(&[], |list| &list.members)
    }

    /// `list` with more members, which it does not name.
    pub(in crate::cache) fn with(&mut self, list: ListId, more: &[Member]) -> ListId {
        let mut members = [self.members(list), more].concat();
        members.sort_unstable();
        self.intern(members.into())
    }

    /// The list with these members, which are those of another table's list.
    pub(in crate::cache) fn intern_members(&mut self, members: &[Member]) -> ListId {
        self.intern(members.into())
    }

    /// Forgets lists that no row has, if they take much. No list id may be remembered outside of the slots.
    pub(in crate::cache) fn sweep(&mut self) {
        if self.unused < UNUSED_COST_MAX {
            return;
        }
        self.steps.clear();
        self.unused = 0;
        self.by_members.retain(|id| *id == ListId::EMPTY || self.lists[id.0 as usize].rows > 0);
        for (id, list) in self.lists.iter_mut().enumerate() {
            if list.rows == 0 && !list.members.is_empty() {
                list.members = Box::default();
                self.free.push(ListId(id as u32));
            }
        }
    }

    /// None of a set has no hash.
    fn hash_member(&self, (set, count): Member) -> u64 {
        if count == 0 { 0 } else { self.hasher.hash_one((set, count)) }
    }

    fn intern(&mut self, members: Box<[Member]>) -> ListId {
        let hashes = members.iter().map(|&member| self.hash_member(member));
        let hash = hashes.fold(0, u64::wrapping_add);
        self.intern_hashed(members, hash)
    }

    fn intern_hashed(&mut self, members: Box<[Member]>, hash: u64) -> ListId {
        let lists = &self.lists;
        let same = |id: &ListId| lists[id.0 as usize].members == members;
        if let Some(&id) = self.by_members.find(hash, same) {
            return id;
        }
        let list = List { members, hash, rows: 0 };
        self.unused += list.cost();
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
        self.by_members.insert_unique(hash, id, |id| self.lists[id.0 as usize].hash);
        id
    }
}

/// A list's members after a step, and how often it had the set before and has it now.
struct Stepped {
    members: Box<[Member]>,
    before: u32,
    after: u32,
}

fn stepped(members: &[Member], set: SetId, step: Step) -> Option<Stepped> {
    let place = members.binary_search_by_key(&set, |member| member.0);
    let before = place.map_or(0, |at| members[at].1);
    let after = match step {
        Step::More => before.checked_add(1)?,
        Step::Less => before.checked_sub(1)?,
    };
    let (Ok(at) | Err(at)) = place;
    let rest = &members[at + usize::from(place.is_ok())..];
    let changed = [(set, after)];
    let changed = if after == 0 { &[][..] } else { &changed[..] };
    Some(Stepped { members: [&members[..at], changed, rest].concat().into(), before, after })
}

/// Takes the same step for one row after the other, most of which have the same list.
#[derive(Debug)]
pub(in crate::cache) struct Stepper {
    set: SetId,
    step: Step,
    last: Option<(ListId, ListId)>,
}

impl Stepper {
    pub(in crate::cache) fn new(set: SetId, step: Step) -> Self {
        Self { set, step, last: None }
    }

    /// List that `list` becomes, or none if that is impossible. The row is not counted as moved.
    #[inline]
    pub(in crate::cache) fn next(&mut self, lists: &mut SetLists, list: ListId) -> Option<ListId> {
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
    fn equal_members_share_one_list() {
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
    fn unused_lists_are_dropped_when_large() {
        let mut lists = SetLists::new();
        let kept = lists.step(ListId::EMPTY, A, Step::More).unwrap();
        lists.move_row(ListId::EMPTY, kept);
        let mut last = kept;
        let mut count = 0;
        while lists.unused < UNUSED_COST_MAX {
            lists.sweep();
            assert_eq!(lists.free.len(), 0, "{} members", lists.unused);
            last = lists.step(last, SetId(10 + count), Step::More).unwrap();
            count += 1;
        }
        lists.sweep();
        assert_eq!((lists.free.len(), lists.unused), (count as usize, 0));
        assert_eq!(lists.step(ListId::EMPTY, A, Step::More), Some(kept));
        assert!(lists.any_names(A) && !lists.any_names(SetId(10)));
    }
}
