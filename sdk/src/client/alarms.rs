//! Timers of the application's, kept by the connection's driver.

use std::collections::HashMap;
use std::sync::Mutex;

use lightlike_core::conn::AlarmId;
use lightlike_core::guard;
use tokio::sync::oneshot;

use crate::sync::{lock, send};

/// Waiters for alarms that have not rung.
#[derive(Default)]
pub(crate) struct Alarms(Mutex<HashMap<AlarmId, oneshot::Sender<()>>>);

impl Alarms {
    pub(crate) fn add(&self, alarm: AlarmId, sender: oneshot::Sender<()>) {
        lock(&self.0).insert(alarm, sender);
    }

    /// Removes an alarm. Returns `true` if it had not rung.
    pub(crate) fn remove(&self, alarm: AlarmId) -> bool {
        lock(&self.0).remove(&alarm).is_some()
    }

    pub(crate) fn ring(&self, alarm: AlarmId) {
        let sender = lock(&self.0).remove(&alarm);
        if let Some(sender) = sender {
            // A receiver that was dropped does not wait any more.
            let _ = send(sender, ());
        }
    }

    /// Ends all of them without ringing.
    pub(crate) fn end(&self) {
        let alarms = std::mem::take(&mut *lock(&self.0));
        alarms.into_values().for_each(|alarm| guard::drop_quietly("waker", alarm));
    }
}
