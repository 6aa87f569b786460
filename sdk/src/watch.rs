//! The latest value of something, and a way to wait for the next.

use std::ops::Deref;

use tokio::sync::watch;

/// The latest value of something that changes. Values in between may be missed; the latest never is.
///
/// Clones are independent of each other. It keeps nothing open.
#[derive(Debug, Clone)]
pub struct Watch<T>(watch::Receiver<T>);

/// What was watched is gone: its value will not change any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was watched is gone")]
pub struct Gone;

impl<T: Clone> Watch<T> {
    pub(crate) fn new(receiver: watch::Receiver<T>) -> Self {
        Self(receiver)
    }

    /// The latest value, borrowed. Let go of it soon: the next one cannot come meanwhile.
    pub fn borrow(&self) -> impl Deref<Target = T> + '_ {
        self.0.borrow()
    }

    /// A copy of the latest value.
    pub fn get(&self) -> T {
        self.0.borrow().clone()
    }

    /// Waits until the value is another than when this was last called.
    ///
    /// # Errors
    ///
    /// [`Gone`] if there will be no other.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn changed(&mut self) -> Result<(), Gone> {
        self.0.changed().await.map_err(|_| Gone)
    }

    /// Waits until `predicate` holds of the value, which may be at once, and returns it.
    ///
    /// # Errors
    ///
    /// [`Gone`] if it never will.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn wait_for(&mut self, predicate: impl FnMut(&T) -> bool) -> Result<T, Gone> {
        self.0.wait_for(predicate).await.map(|value| value.clone()).map_err(|_| Gone)
    }
}
