//! The thread that does the I/O of clients which have no runtime to do it in.

use std::cell::Cell;
use std::io;
use std::sync::{Arc, Mutex, Weak};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::sync::lock;

/// A thread with a runtime. There is one in a process while anybody needs it, and it ends when nobody does.
pub(crate) struct IoThread {
    runtime: Handle,
    /// Dropping it ends the thread.
    _end: oneshot::Sender<()>,
}

thread_local! {
    static IS_CURRENT: Cell<bool> = const { Cell::new(false) };
}

static RUNNING: Mutex<Weak<IoThread>> = Mutex::new(Weak::new());

impl IoThread {
    /// The process's thread, started if there is none.
    pub(crate) fn get() -> io::Result<Arc<Self>> {
        let mut running = lock(&RUNNING);
        if let Some(thread) = running.upgrade() {
            return Ok(thread);
        }
        let thread = Arc::new(Self::start()?);
        *running = Arc::downgrade(&thread);
        Ok(thread)
    }

    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let run = move || {
            IS_CURRENT.set(true);
            // Either way nobody needs it any more.
            let _ = runtime.block_on(ended);
            // A name may still be resolved, on a thread of the runtime's; nobody waits for it.
            runtime.shutdown_background();
        };
        std::thread::Builder::new().name("lightlike-io".to_owned()).spawn(run)?;
        Ok(Self { runtime: handle, _end: end })
    }

    /// Returns `true` on the thread itself.
    pub(crate) fn is_current() -> bool {
        IS_CURRENT.get()
    }

    /// Its runtime, which is gone when nobody needs the thread.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Runs a task, and keeps the thread for as long as that takes.
    pub(crate) fn spawn(self: Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            task.await;
            drop(self);
        });
    }
}
