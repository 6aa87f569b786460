//! The thread that writes: it gathers batches, and says when they are on the disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::{io, thread};

use tokio::sync::oneshot;

use crate::driver::Shared;
use crate::journal::fold::RowLogs;
use crate::journal::{Batch, Store, StoreError};
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

/// Returns `true` if more rows may come in.
pub(crate) fn has_room(disk: Option<&Disk>) -> bool {
    disk.is_none_or(|disk| disk.unwritten.load(Ordering::Relaxed) < UNWRITTEN_BYTES_MAX)
}

impl Disk {
    /// Starts the thread. `told` is called after the machine was told something.
    pub(crate) fn start(
        store: Box<dyn Store>,
        shared: Weak<Shared>,
        told: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (batches, received) = channel();
        let (ending, ended) = oneshot::channel();
        let unwritten = Arc::new(AtomicUsize::new(0));
        let log = Log { bytes: 0, folded: 0 };
        let gauge = Arc::clone(&unwritten);
        let mut writer = Writer { store, log, shared, told, unwritten: gauge, last: 0, commits: 0 };
        thread::Builder::new().name("lightlike-disk".into()).spawn(move || {
            writer.run(&received);
            drop(writer);
            // Whoever waits for the file to be closed.
            let _ = ending.send(());
        })?;
        Ok(Self { batches, unwritten, ended })
    }

    /// Hands a batch to the thread. False if it has ended, which it does only if the store panicked.
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

/// Lengths of the logs of rows.
struct Log {
    bytes: usize,
    /// Length when they were compacted last.
    folded: usize,
}

struct Writer<F: Fn()> {
    store: Box<dyn Store>,
    log: Log,
    shared: Weak<Shared>,
    told: F,
    unwritten: Arc<AtomicUsize>,
    /// The last batch that was received.
    last: u64,
    commits: u64,
}

impl<F: Fn()> Writer<F> {
    fn run(&mut self, received: &Receiver<Batch>) {
        while let Ok(first) = received.recv() {
            let batches = gather(received, first);
            self.last = batches.last().map_or(self.last, |batch| batch.ticket);
            let bytes: usize = batches.iter().map(Batch::row_bytes).sum();
            let writes: Vec<_> = batches.iter().flat_map(Batch::writes).collect();
            drop(batches);
            let result = self.store.commit(&writes);
            self.unwritten.fetch_sub(bytes, Ordering::Relaxed);
            let failed = result.is_err();
            self.tell(result);
            if failed {
                // The machine asks for nothing more, but it may have before it knew.
                while received.recv().is_ok() {}
                return;
            }
            self.log.bytes += bytes;
            self.commits += 1;
            if let Err(error) = self.tidy() {
                tracing::warn!(%error, "the offline store could not be made smaller");
            }
        }
    }

    /// Makes the store smaller, if that may be worth the while.
    fn tidy(&mut self) -> Result<(), StoreError> {
        if self.log.bytes > 2 * self.log.folded + LOG_SLACK_BYTES {
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
            self.log = Log { bytes, folded: bytes };
        }
        Ok(())
    }

    fn tell(&self, result: Result<(), StoreError>) {
        let Some(shared) = self.shared.upgrade() else { return };
        let result = result.map_err(|error| {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", why.unwrap_or_default()).into()
        });
        shared.command(|connection, _| connection.handle_stored(self.last, result));
        drop(shared);
        (self.told)();
    }
}

impl<F: Fn()> Drop for Writer<F> {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(shared) = self.shared.upgrade()
        {
            let why = "the store panicked";
            shared.command(|connection, _| connection.handle_stored(self.last, Err(why.into())));
            (self.told)();
        }
    }
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
