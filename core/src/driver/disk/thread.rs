//! The thread that writes: it gathers batches, and says when they are on the disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::{io, thread};

use tokio::sync::oneshot;

use crate::driver::shared::Shared;
use crate::guard::{self, Panic, log};
use crate::journal::fold::RowLogs;
use crate::journal::{Batch, LogLength, Store, StoreError};
use crate::limits::Limits;

/// Time for which rows wait for more rows, so that a busy table does not keep the disk busy too. Calls do not wait.
const LAZY: Duration = Duration::from_millis(250);

/// Number of row bytes that may wait to be written before the socket is not read any more.
const UNWRITTEN_BYTES_MAX: usize = 64 << 20;

/// Bytes of a log of rows beyond twice its compacted size before it is compacted.
const LOG_SLACK_BYTES: usize = 4 << 20;

/// After how many writes a store is asked to give space back, when rows do not make it do so.
const TIDY_EVERY: u64 = 4096;

/// The way to the thread. Dropping it ends the thread, when everything is written.
#[derive(Debug)]
pub(crate) struct Disk {
    batches: Sender<Batch>,
    unwritten: Arc<AtomicUsize>,
    ended: oneshot::Receiver<()>,
}

/// Backpressure of the disk: returns `true` if more rows may come in.
pub(crate) fn has_room(disk: Option<&Disk>) -> bool {
    disk.is_none_or(|disk| disk.unwritten.load(Ordering::Relaxed) < UNWRITTEN_BYTES_MAX)
}

impl Disk {
    /// Starts the thread for a store with logs of that length. `told` is called after the machine was told something.
    pub(crate) fn start(
        store: Box<dyn Store>,
        log: LogLength,
        shared: Weak<Shared>,
        told: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (batches, received) = channel();
        let (ending, ended) = oneshot::channel();
        let unwritten = Arc::new(AtomicUsize::new(0));
        let gauge = Arc::clone(&unwritten);
        let (last, commits, has_panicked) = (0, 0, false);
        let mut writer =
            Writer { store, log, shared, told, unwritten: gauge, last, commits, has_panicked };
        thread::Builder::new().name("lightlike-disk".into()).spawn(move || {
            if let Err(message) = guard::catch(|| writer.run(&received)) {
                writer.tell(Err(format!("the thread that writes panicked: {message}").into()));
            }
            // The store's own end, and that of what is told.
            guard::drop_quietly("store", writer);
            // Whoever waits for the file to be closed.
            let _ = ending.send(());
        })?;
        Ok(Self { batches, unwritten, ended })
    }

    /// Hands a batch to the thread. False if it has ended.
    pub(crate) fn write(&self, batch: Batch) -> bool {
        self.unwritten.fetch_add(batch.row_bytes(), Ordering::Relaxed);
        self.batches.send(batch).is_ok()
    }

    /// Lets the thread end, and waits until everything is written and the store is closed.
    pub(crate) async fn close(self) {
        let Self { batches, ended, .. } = self;
        drop(batches);
        let _ = ended.await;
    }
}

struct Writer<F: Fn()> {
    store: Box<dyn Store>,
    /// Length of the logs of rows: over all runs, because each may be short.
    log: LogLength,
    shared: Weak<Shared>,
    told: F,
    unwritten: Arc<AtomicUsize>,
    /// The last batch that was received.
    last: u64,
    commits: u64,
    /// The store panicked: nothing is known of what it has.
    has_panicked: bool,
}

impl<F: Fn()> Writer<F> {
    fn run(&mut self, received: &Receiver<Batch>) {
        while let Ok(first) = received.recv() {
            let batches = gather(received, first);
            self.last = batches.last().map_or(self.last, |batch| batch.ticket);
            let bytes: usize = batches.iter().map(Batch::row_bytes).sum();
            let writes: Vec<_> = batches.iter().flat_map(Batch::writes).collect();
            drop(batches);
            let result = self.guarded("write to", |writer| writer.store.commit(&writes));
            self.unwritten.fetch_sub(bytes, Ordering::Relaxed);
            if let Err(error) = result {
                return self.give_up(Err(explained(&error)), received);
            }
            self.tell(Ok(()));
            self.log.bytes += bytes;
            self.commits += 1;
            if let Err(error) = self.guarded("compact", Self::tidy) {
                log!(warn, %error, "the offline store could not be made smaller");
                if self.has_panicked {
                    return self.give_up(Err(explained(&error)), received);
                }
            }
        }
    }

    /// Makes the store smaller, if that may be worth the while.
    fn tidy(&mut self) -> Result<(), StoreError> {
        if self.log.bytes > 2 * self.log.live + LOG_SLACK_BYTES {
            self.fold()?;
            self.store.compact()
        } else if self.commits.is_multiple_of(TIDY_EVERY) {
            self.store.compact()
        } else {
            Ok(())
        }
    }

    /// Replaces the logs of rows by what they come to.
    fn fold(&mut self) -> Result<(), StoreError> {
        let mut logs = RowLogs::default();
        self.store.load(&mut |key, value| logs.see(key, &value))?;
        if let Some((writes, bytes)) = logs.fold(&Limits::DEFAULT) {
            self.store.commit(&writes)?;
            self.log = LogLength { bytes, live: bytes };
        }
        Ok(())
    }

    /// The store is asked for nothing more.
    fn give_up(&self, result: Result<(), Box<str>>, received: &Receiver<Batch>) {
        self.tell(result);
        // The machine asks for nothing more either, but it may have before it knew.
        while received.recv().is_ok() {}
    }

    /// Has the store do something. A panic is an error of its own.
    fn guarded(
        &mut self,
        verb: &'static str,
        act: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        guard::catch(|| act(self)).unwrap_or_else(|message| {
            self.has_panicked = true;
            let panic = Panic::new("store", message);
            if let Some(shared) = self.shared.upgrade() {
                shared.command(|connection, _| connection.note_panic(panic.clone()));
            }
            Err(StoreError::new(verb, "the store", panic))
        })
    }

    fn tell(&self, result: Result<(), Box<str>>) {
        let Some(shared) = self.shared.upgrade() else { return };
        shared.command(|connection, _| connection.handle_stored(self.last, result));
        drop(shared);
        guard::quietly("delivery", || (self.told)());
    }
}

/// The text of a store's error, which may panic too.
fn explained(error: &StoreError) -> Box<str> {
    guard::catch(|| error.to_string().into()).unwrap_or_else(|message| {
        format!("the store failed, and its error panicked: {message}").into()
    })
}

/// Takes what there is; rows wait a little for more.
fn gather(received: &Receiver<Batch>, first: Batch) -> Vec<Batch> {
    let mut urgent = first.urgent;
    let mut batches = vec![first];
    loop {
        let next = if urgent { received.try_recv().ok() } else { received.recv_timeout(LAZY).ok() };
        let Some(batch) = next else { return batches };
        urgent |= batch.urgent;
        batches.push(batch);
        if batches.iter().map(Batch::row_bytes).sum::<usize>() > UNWRITTEN_BYTES_MAX / 4 {
            return batches;
        }
    }
}
