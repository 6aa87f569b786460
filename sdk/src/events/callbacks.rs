//! Lists of callbacks, run outside every lock, and how they are removed.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use lightlike_core::guard::{self, Panic};

use crate::observe::panics::Panics;
use crate::sync::lock;

/// Names a callback, to remove it. Dropping the name does nothing; see [`scoped`](Self::scoped).
///
/// Callbacks that hear of the same thing run in the order of their registration. One that is registered by another of them
/// runs from the next transaction on.
#[derive(Clone)]
pub struct CallbackId {
    list: Weak<dyn Removes>,
    id: u64,
}

impl CallbackId {
    /// Removes the callback. It runs no more, except for finishing if it is running now.
    pub fn remove(&self) {
        if let Some(list) = self.list.upgrade() {
            list.remove(self.id);
        }
    }

    /// A guard that removes the callback when it is dropped.
    pub fn scoped(self) -> ScopedCallback {
        ScopedCallback(Some(self))
    }
}

impl fmt::Debug for CallbackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallbackId").field(&self.id).finish()
    }
}

/// Removes a callback when it is dropped.
#[derive(Debug)]
#[must_use = "dropping this removes the callback; `keep` it to leave it registered"]
pub struct ScopedCallback(Option<CallbackId>);

impl ScopedCallback {
    /// Leaves the callback registered.
    pub fn keep(mut self) -> Option<CallbackId> {
        self.0.take()
    }
}

impl Drop for ScopedCallback {
    fn drop(&mut self) {
        if let Some(callback) = self.0.take() {
            callback.remove();
        }
    }
}

/// A list that a callback can be removed from, whatever callbacks they are.
trait Removes: Send + Sync {
    fn remove(&self, id: u64);
}

impl<F: ?Sized + Send> Removes for Callbacks<F> {
    fn remove(&self, id: u64) {
        Self::remove(self, id);
    }
}

/// Callbacks of one kind, in the order of their registration.
pub(crate) struct Callbacks<F: ?Sized> {
    /// Method that they are registered with, and the events that they hear, for readers of a panic.
    name: &'static str,
    table: Option<&'static str>,
    panics: Arc<Panics>,
    list: Mutex<List<F>>,
    /// Number of callbacks, so that nothing is locked where there are none.
    len: AtomicUsize,
    /// Number of removals: a run looks at the list again only when this has moved.
    removals: AtomicUsize,
}

struct List<F: ?Sized> {
    next: u64,
    entries: Vec<(u64, Box<F>)>,
    /// Number of runs that have entries out: one, but for what a callback of the first one causes.
    running: usize,
    /// Removed meanwhile.
    removed: Vec<u64>,
    /// There is nothing more to hear of.
    ended: bool,
}

impl<F: ?Sized> Default for List<F> {
    fn default() -> Self {
        Self { next: 0, entries: Vec::new(), running: 0, removed: Vec::new(), ended: false }
    }
}

#[cfg(test)]
impl<F: ?Sized> Default for Callbacks<F> {
    fn default() -> Self {
        Self::named("callback", None, Arc::default())
    }
}

/// Callbacks go one by one, each with what it captured.
impl<F: ?Sized> Drop for Callbacks<F> {
    fn drop(&mut self) {
        let entries = std::mem::take(&mut self.lock().entries);
        entries.into_iter().for_each(|(_, callback)| self.dispose(callback));
    }
}

impl<F: ?Sized + Send + 'static> Callbacks<F> {
    /// Registers a callback, and names it for whoever registered it.
    pub(crate) fn register(self: &Arc<Self>, callback: Box<F>) -> CallbackId {
        let id = self.add(callback);
        let list: Weak<Self> = Arc::downgrade(self);
        CallbackId { list, id }
    }
}

impl<F: ?Sized> Callbacks<F> {
    /// An empty list of callbacks that are registered with the method `name`. Their panics go to `panics`.
    pub(crate) fn new(
        name: &'static str,
        table: Option<&'static str>,
        panics: &Arc<Panics>,
    ) -> Arc<Self> {
        Arc::new(Self::named(name, table, Arc::clone(panics)))
    }

    fn named(name: &'static str, table: Option<&'static str>, panics: Arc<Panics>) -> Self {
        let (len, removals) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { name, table, panics, list: Mutex::default(), len, removals }
    }

    /// Drops a callback. What it captured may do anything then, and panic.
    fn dispose(&self, callback: Box<F>) {
        if let Err(message) = guard::catch(|| drop(callback)) {
            self.panics.tell_later(Panic::new(self.name, message).of_table(self.table));
        }
    }

    pub(crate) fn add(&self, callback: Box<F>) -> u64 {
        let mut list = self.lock();
        let id = list.next;
        list.next += 1;
        if list.ended {
            drop(list);
            self.dispose(callback);
            return id;
        }
        list.entries.push((id, callback));
        self.len.fetch_add(1, Ordering::Relaxed);
        id
    }

    /// Drops all callbacks, and later ones as they are registered: there is nothing more to hear of. Those that are running
    /// are dropped when they have run.
    pub(crate) fn end(&self) {
        let mut list = self.lock();
        list.ended = true;
        let entries = std::mem::take(&mut list.entries);
        self.len.fetch_sub(entries.len(), Ordering::Relaxed);
        drop(list);
        // What they captured may be the last handle on the client.
        entries.into_iter().for_each(|(_, callback)| self.dispose(callback));
    }

    /// Removes a callback. It may be running, and finishes then; it is not started again.
    pub(crate) fn remove(&self, id: u64) {
        let mut list = self.lock();
        match list.entries.iter().position(|(entry, _)| *entry == id) {
            Some(at) => {
                let (_, callback) = list.entries.remove(at);
                self.len.fetch_sub(1, Ordering::Relaxed);
                drop(list);
                // What it captured may use this list when it is dropped.
                self.dispose(callback);
            }
            None if list.running > 0 => {
                list.removed.push(id);
                self.removals.fetch_add(1, Ordering::Relaxed);
            }
            None => (),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    /// Takes the callbacks out to be run. One run at a time: the client is driven by one thread at a time.
    pub(crate) fn run(&self) -> Run<'_, F> {
        let mut list = self.lock();
        list.running += 1;
        let entries = std::mem::take(&mut list.entries);
        let seen = self.removals.load(Ordering::Relaxed);
        Run { callbacks: self, entries, removed: Vec::new(), seen }
    }

    fn lock(&self) -> MutexGuard<'_, List<F>> {
        lock(&self.list)
    }
}

/// Decision to run a callback again, or to remove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Yes,
    No,
}

/// Callbacks while they are run.
pub(crate) struct Run<'a, F: ?Sized> {
    callbacks: &'a Callbacks<F>,
    entries: Vec<(u64, Box<F>)>,
    /// Those that were removed since the run began, when `removals` was `seen`.
    removed: Vec<u64>,
    seen: usize,
}

impl<F: ?Sized> Run<'_, F> {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Runs every callback once. A panic ends that callback's turn and nothing else.
    pub(crate) fn each(&mut self, mut invoke: impl FnMut(&mut F)) {
        self.each_kept(|callback| {
            invoke(callback);
            Keep::Yes
        });
    }

    /// As [`each`](Self::each); those that say so are removed.
    pub(crate) fn each_kept(&mut self, mut invoke: impl FnMut(&mut F) -> Keep) {
        for (id, callback) in &mut self.entries {
            if self.callbacks.panics.is_silenced() {
                return;
            }
            if self.callbacks.removals.load(Ordering::Relaxed) != self.seen {
                let list = self.callbacks.lock();
                self.seen = self.callbacks.removals.load(Ordering::Relaxed);
                self.removed.clone_from(&list.removed);
            }
            if self.removed.contains(id) {
                continue;
            }
            match guard::catch(|| invoke(callback)) {
                Ok(Keep::Yes) => (),
                Ok(Keep::No) => self.callbacks.remove(*id),
                Err(message) => {
                    let Callbacks { name, table, panics, .. } = self.callbacks;
                    panics.note(name, *table, message);
                }
            }
        }
    }
}

impl<F: ?Sized> Drop for Run<'_, F> {
    fn drop(&mut self) {
        let mut list = self.callbacks.lock();
        list.running -= 1;
        let mut removed = std::mem::take(&mut list.removed);
        if list.running > 0 {
            // The entries of the run around this one may be among them.
            list.removed.clone_from(&removed);
        }
        removed.sort_unstable();
        let ended = list.ended;
        let before = self.entries.len();
        let mut gone = Vec::new();
        let mut kept = Vec::with_capacity(before + list.entries.len());
        for entry in self.entries.drain(..) {
            let goes = ended || removed.binary_search(&entry.0).is_ok();
            if goes { gone.push(entry) } else { kept.push(entry) }
        }
        self.callbacks.len.fetch_sub(gone.len(), Ordering::Relaxed);
        // Those added meanwhile come behind those that were there.
        kept.append(&mut list.entries);
        list.entries = kept;
        drop(list);
        gone.into_iter().for_each(|(_, callback)| self.callbacks.dispose(callback));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type List = Callbacks<dyn FnMut(&mut Vec<&'static str>) + Send>;

    fn run(list: &List) -> Vec<&'static str> {
        let mut log = Vec::new();
        list.run().each(|callback| callback(&mut log));
        log
    }

    #[test]
    fn callbacks_run_in_the_order_of_their_registration() {
        let list = List::default();
        list.add(Box::new(|log| log.push("a")));
        let b = list.add(Box::new(|log| log.push("b")));
        list.add(Box::new(|log| log.push("c")));
        assert_eq!(run(&list), ["a", "b", "c"]);
        list.remove(b);
        assert_eq!(run(&list), ["a", "c"]);
    }

    #[test]
    fn callbacks_changed_while_running_apply_next_time() {
        let list = Arc::new(List::default());
        let inside = Arc::clone(&list);
        list.add(Box::new(move |log| {
            log.push("first");
            inside.remove(0);
            inside.remove(1);
            inside.add(Box::new(|log| log.push("third")));
        }));
        list.add(Box::new(|log| log.push("second")));
        assert_eq!(run(&list), ["first"]);
        assert_eq!(run(&list), ["third"]);
        assert!(!list.is_empty());
    }

    #[test]
    fn a_panic_harms_no_other_callback() {
        let list = List::default();
        list.add(Box::new(|_| panic!("on purpose")));
        list.add(Box::new(|log| log.push("still here")));
        assert_eq!(run(&list), ["still here"]);
        assert_eq!(run(&list), ["still here"]);
    }

    /// Panics when it is dropped.
    struct Captured;

    impl Drop for Captured {
        fn drop(&mut self) {
            panic!("captured");
        }
    }

    #[test]
    fn captures_that_panic_when_dropped_are_contained() {
        let panics = Arc::new(Panics::default());
        let list: Arc<List> = Callbacks::new("on_test", None, &panics);
        let capture = || {
            let captured = Captured;
            Box::new(move |log: &mut Vec<&'static str>| {
                let _ = &captured;
                log.push("ran");
            })
        };
        let removed = list.register(capture());
        removed.remove();
        let inside = Arc::downgrade(&list);
        let itself = list.add(capture());
        let remove = move |list: Arc<List>| list.remove(itself);
        list.add(Box::new(move |_| inside.upgrade().into_iter().for_each(remove)));
        list.add(capture());
        assert_eq!(run(&list), ["ran", "ran"]);
        assert_eq!(run(&list), ["ran"]);
        assert_eq!(panics.take().len(), 2);
        list.remove(itself + 1);
        drop(list);
        let collected = panics.take();
        assert_eq!(
            (collected.len(), collected[0].callback, &*collected[0].message),
            (1, "on_test", "captured")
        );
    }

    #[test]
    fn panic_is_collected_for_report() {
        let panics = Arc::new(Panics::default());
        let list: Arc<List> = Callbacks::new("on_test", Some("table"), &panics);
        list.add(Box::new(|_| panic!("number {}", 7)));
        run(&list);
        let [panicked] = &panics.take()[..] else { panic!("it is told") };
        assert_eq!((panicked.callback, panicked.table), ("on_test", Some("table")));
        assert_eq!(&*panicked.message, "number 7");
        assert!(panics.take().is_empty());
    }

    #[test]
    fn callback_is_removed_by_id_or_guard() {
        let list: Arc<List> = Arc::default();
        let by_name = list.register(Box::new(|log| log.push("by name")));
        let guard = list.register(Box::new(|log| log.push("by guard"))).scoped();
        let kept = list.register(Box::new(|log| log.push("kept"))).scoped().keep();
        assert_eq!(run(&list), ["by name", "by guard", "kept"]);
        by_name.remove();
        by_name.remove();
        drop(guard);
        assert_eq!(run(&list), ["kept"]);
        kept.into_iter().for_each(|kept| kept.remove());
        assert!(run(&list).is_empty() && list.is_empty());
        drop(list);
        by_name.remove();
    }

    #[test]
    fn callbacks_are_dropped_when_list_ends() {
        let list: Arc<List> = Arc::default();
        let (held, running) = (Arc::new(()), Arc::new(()));
        let kept = Arc::clone(&held);
        let waiting = list.register(Box::new(move |_| drop(Arc::clone(&kept))));
        list.end();
        assert_eq!(Arc::strong_count(&held), 1);
        let late = Arc::clone(&held);
        list.add(Box::new(move |_| drop(Arc::clone(&late))));
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(list.is_empty() && run(&list).is_empty());
        waiting.remove();

        let list: Arc<List> = Arc::default();
        let (inside, captured) = (Arc::clone(&list), Arc::clone(&running));
        list.add(Box::new(move |log| {
            inside.end();
            assert_eq!(Arc::strong_count(&captured), 2, "it still runs");
            log.push("last");
        }));
        assert_eq!(run(&list), ["last"]);
        assert!(run(&list).is_empty() && list.is_empty());
        assert_eq!(Arc::strong_count(&running), 1);
    }

    #[test]
    fn removing_what_is_gone_is_not_remembered() {
        let list: Arc<List> = Arc::default();
        let id = list.register(Box::new(|_| ()));
        (0..100).for_each(|_| id.remove());
        assert_eq!(list.lock().removed.capacity(), 0);
    }

    #[test]
    fn one_that_says_so_runs_once() {
        let list = List::default();
        list.add(Box::new(|log| log.push("once")));
        let mut log = Vec::new();
        for _ in 0..2 {
            list.run().each_kept(|callback| {
                callback(&mut log);
                Keep::No
            });
        }
        assert_eq!(log, ["once"]);
        assert!(list.is_empty());
    }
}
