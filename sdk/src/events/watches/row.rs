//! Watches of single rows: one hash lookup a row that a transaction touches, however many are watched.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::Waker;

use lightlike_core::cache::RowChange;
use lightlike_core::guard;
use lightlike_core::schema::Row;

use crate::events::watches::{Source, Watch};
use crate::sync::lock;

/// [`RowWatches`] without the key's type, which generic code over tables cannot always name.
pub(crate) trait WatchRows<R>: Any + Send + Sync {
    fn is_empty(&self) -> bool;

    /// Tells of the changes that led to this version, and returns the texts of panics of the row type: a watch whose row
    /// panicked keeps the value that it has.
    fn set(
        &self,
        version: u64,
        changes: &mut dyn Iterator<Item = RowChange<'_, R>>,
    ) -> Vec<Box<str>>;

    /// There will be no more changes.
    fn end(&self);

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// Watches of no row of `R`'s table.
pub(crate) fn row_watches<R: Row>() -> Arc<dyn WatchRows<R>> {
    Arc::new(RowWatches::<R>::default())
}

/// The rows of one table that are watched, by their keys.
struct RowWatches<R: Row> {
    /// Number of watches, so that nothing is locked where there are none.
    len: AtomicUsize,
    /// Copying of a row, known since the first watch: a table's rows need not be `Clone` otherwise.
    copy: OnceLock<fn(&R) -> R>,
    inner: Mutex<Inner<R>>,
}

struct Inner<R: Row> {
    watched: HashMap<Arc<R::Key>, Watched<R>>,
    /// There will be no more changes.
    ended: bool,
}

struct Watched<R: Row> {
    source: Source<Option<R>>,
    /// The version of the tables that the value is of.
    version: u64,
    /// Alive while somebody watches.
    guard: Weak<Guard<R>>,
}

/// Ends the watching of one row when the last watch of it is dropped.
struct Guard<R: Row> {
    watches: Weak<RowWatches<R>>,
    key: Arc<R::Key>,
}

impl<R: Row> Default for RowWatches<R> {
    fn default() -> Self {
        let inner = Inner { watched: HashMap::new(), ended: false };
        Self { len: AtomicUsize::new(0), copy: OnceLock::new(), inner: Mutex::new(inner) }
    }
}

/// Watches the row with this key. `now` reads it, with the version of the tables that it was read from. `None` if the
/// watches are not [`row_watches`]'.
pub(crate) fn watch_row<R: Row + Clone>(
    watches: &Arc<dyn WatchRows<R>>,
    key: R::Key,
    now: impl FnOnce(&R::Key) -> (u64, Option<R>),
) -> Option<Watch<Option<R>>> {
    let watches = Arc::clone(watches).into_any().downcast::<RowWatches<R>>().ok()?;
    Some(watches.watch(key, now))
}

impl<R: Row + Clone> RowWatches<R> {
    fn watch(
        self: &Arc<Self>,
        key: R::Key,
        now: impl FnOnce(&R::Key) -> (u64, Option<R>),
    ) -> Watch<Option<R>> {
        self.copy.get_or_init(|| R::clone);
        let mut inner = self.lock();
        if let Some(watched) = inner.watched.get(&key)
            && let Some(guard) = watched.guard.upgrade()
        {
            return watched.source.subscribe().guarded(guard);
        }
        let (version, row) = now(&key);
        let (source, key) = (Source::new(row), Arc::new(key));
        let watch = source.subscribe();
        if inner.ended {
            return watch;
        }
        let guard = Arc::new(Guard { watches: Arc::downgrade(self), key: Arc::clone(&key) });
        let watched = Watched { source, version, guard: Arc::downgrade(&guard) };
        inner.watched.insert(key, watched);
        self.len.store(inner.watched.len(), Ordering::Relaxed);
        watch.guarded(guard)
    }
}

impl<R: Row> WatchRows<R> for RowWatches<R> {
    fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    fn set(
        &self,
        version: u64,
        changes: &mut dyn Iterator<Item = RowChange<'_, R>>,
    ) -> Vec<Box<str>> {
        let Some(copy) = self.copy.get() else { return Vec::new() };
        let (mut wakers, mut panics) = (Vec::new(), Vec::new());
        let mut inner = self.lock();
        // A change is over or has not begun where its key or its row panics.
        while let Err(message) = guard::catch(|| {
            for change in &mut *changes {
                wakers.extend(inner.set(version, change, *copy));
            }
        }) {
            panics.push(message);
        }
        drop(inner);
        wakers.into_iter().for_each(guard::wake);
        panics
    }

    fn end(&self) {
        let mut inner = self.lock();
        inner.ended = true;
        let watched = std::mem::take(&mut inner.watched);
        self.len.store(0, Ordering::Relaxed);
        drop(inner);
        guard::drop_quietly("row type", watched);
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl<R: Row> Inner<R> {
    /// Tells of one change, and returns the wakers of those who wait for it.
    fn set(&mut self, version: u64, change: RowChange<'_, R>, copy: fn(&R) -> R) -> Vec<Waker> {
        let (key, row) = match change {
            RowChange::Insert(row) | RowChange::Update { new: row, .. } => (row.key(), Some(row)),
            RowChange::Delete(row) => (row.key(), None),
            RowChange::Event(_) => return Vec::new(),
        };
        // One that was read when this change was visible, and not told yet, has it.
        match self.watched.get_mut(key) {
            Some(watched) if watched.version < version => {
                watched.version = version;
                watched.source.set_quietly(row.map(copy))
            }
            _ => Vec::new(),
        }
    }
}

impl<R: Row> RowWatches<R> {
    fn lock(&self) -> MutexGuard<'_, Inner<R>> {
        lock(&self.inner)
    }
}

impl<R: Row> Drop for Guard<R> {
    fn drop(&mut self) {
        let Some(watches) = self.watches.upgrade() else { return };
        let mut inner = watches.lock();
        // Unless somebody has begun to watch it again meanwhile. A key that panics stays, and is told of to nobody.
        let gone = guard::catch(|| match inner.watched.get(&self.key) {
            Some(watched) if watched.guard.strong_count() == 0 => inner.watched.remove(&self.key),
            _ => None,
        });
        watches.len.store(inner.watched.len(), Ordering::Relaxed);
        drop(inner);
        match gone {
            Ok(gone) => drop(gone),
            Err(message) => guard::note("row type", message),
        }
    }
}

#[cfg(test)]
mod tests {
    use lightlike_macros::{Bsatn, Table};

    use super::*;

    #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
    #[table(name = "item")]
    struct Item {
        #[primary_key]
        id: u32,
        data: u32,
    }

    fn set(watches: &Arc<RowWatches<Item>>, version: u64, change: RowChange<'_, Item>) {
        watches.set(version, &mut std::iter::once(change));
    }

    fn numbers(watch: &Watch<Option<Item>>) -> Option<u32> {
        watch.get().map(|item| item.data)
    }

    #[test]
    fn value_read_early_is_not_repeated() {
        let watches = Arc::new(RowWatches::default());
        let (old, new) = (Item { id: 1, data: 1 }, Item { id: 1, data: 2 });
        let mut watch = watches.watch(1, |_| (7, Some(old.clone())));
        let cx = std::task::Context::from_waker(Waker::noop());
        set(&watches, 7, RowChange::Insert(&old));
        assert!(watch.poll_changed(&cx).is_pending());
        set(&watches, 8, RowChange::Update { old: &old, new: &new });
        assert!(watch.poll_changed(&cx).is_ready());
        assert_eq!(numbers(&watch), Some(2));
        set(&watches, 9, RowChange::Delete(&new));
        assert_eq!(numbers(&watch), None);
    }

    #[test]
    fn row_watches_share_until_last_drop() {
        let watches: Arc<RowWatches<Item>> = Arc::default();
        let first = watches.watch(1, |_| (1, None));
        let second = watches.watch(1, |_| panic!("it is watched already"));
        let third = second.clone();
        assert_eq!(watches.lock().watched.len(), 1);
        drop((first, second));
        assert!(!watches.is_empty());
        set(&watches, 2, RowChange::Insert(&Item { id: 1, data: 1 }));
        assert_eq!(numbers(&third), Some(1));
        drop(third);
        assert!(watches.is_empty() && watches.lock().watched.is_empty());
    }

    #[test]
    fn watch_is_readable_after_end() {
        let watches = Arc::new(RowWatches::default());
        watches.end();
        let item = Item { id: 1, data: 1 };
        let mut watch = watches.watch(1, |_| (1, Some(item.clone())));
        assert_eq!(watch.get(), Some(item));
        let cx = std::task::Context::from_waker(Waker::noop());
        assert!(matches!(watch.poll_changed(&cx), std::task::Poll::Ready(Err(_))));
    }
}
