//! Lists of callbacks, run outside every lock.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Callbacks of one kind, in the order of their registration.
pub(crate) struct Callbacks<F: ?Sized> {
    list: Mutex<List<F>>,
    /// How many there are, so that nothing is locked where there are none.
    len: AtomicUsize,
    /// How often one was removed: a run looks at the list again only when this has moved.
    removals: AtomicUsize,
}

struct List<F: ?Sized> {
    next: u64,
    entries: Vec<(u64, Box<F>)>,
    /// Removed while the entries were out to be run.
    removed: Vec<u64>,
}

impl<F: ?Sized> Default for Callbacks<F> {
    fn default() -> Self {
        let list = List { next: 0, entries: Vec::new(), removed: Vec::new() };
        Self { list: Mutex::new(list), len: AtomicUsize::new(0), removals: AtomicUsize::new(0) }
    }
}

impl<F: ?Sized> Callbacks<F> {
    pub(crate) fn add(&self, callback: Box<F>) -> u64 {
        let mut list = self.lock();
        let id = list.next;
        list.next += 1;
        list.entries.push((id, callback));
        self.len.fetch_add(1, Ordering::Relaxed);
        id
    }

    /// Removes a callback. It may be running, and finishes then; it is not started again.
    pub(crate) fn remove(&self, id: u64) {
        let mut list = self.lock();
        match list.entries.iter().position(|(entry, _)| *entry == id) {
            Some(at) => {
                let entry = list.entries.remove(at);
                self.len.fetch_sub(1, Ordering::Relaxed);
                drop(list);
                // What it captured may use this list when it is dropped.
                drop(entry);
            }
            None => {
                list.removed.push(id);
                self.removals.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    /// Takes the callbacks out to be run. One run at a time: the client is driven by one thread at a time.
    pub(crate) fn run(&self) -> Run<'_, F> {
        let mut list = self.lock();
        list.removed.clear();
        let entries = std::mem::take(&mut list.entries);
        let seen = self.removals.load(Ordering::Relaxed);
        Run { callbacks: self, entries, removed: Vec::new(), seen }
    }

    fn lock(&self) -> MutexGuard<'_, List<F>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        for (id, callback) in &mut self.entries {
            if self.callbacks.removals.load(Ordering::Relaxed) != self.seen {
                let list = self.callbacks.lock();
                self.seen = self.callbacks.removals.load(Ordering::Relaxed);
                self.removed.clone_from(&list.removed);
            }
            if self.removed.contains(id) {
                continue;
            }
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| invoke(callback))) {
                tracing::error!(message = panic_text(&*panic), "a callback panicked");
            }
        }
    }
}

impl<F: ?Sized> Drop for Run<'_, F> {
    fn drop(&mut self) {
        let mut list = self.callbacks.lock();
        let removed = std::mem::take(&mut list.removed);
        let before = self.entries.len();
        let mut gone = Vec::new();
        let mut kept = Vec::with_capacity(before + list.entries.len());
        for entry in self.entries.drain(..) {
            if removed.contains(&entry.0) { gone.push(entry) } else { kept.push(entry) }
        }
        self.callbacks.len.fetch_sub(gone.len(), Ordering::Relaxed);
        // Those added meanwhile come behind those that were there.
        kept.append(&mut list.entries);
        list.entries = kept;
        drop(list);
        drop(gone);
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
    fn one_that_is_added_inside_runs_from_the_next_time_and_one_removed_inside_no_more() {
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
}
