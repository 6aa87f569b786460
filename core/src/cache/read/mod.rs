//! The readers' side: epochs, snapshots, views and the catalog.

pub(super) mod catalog;
pub(super) mod epoch;
pub(super) mod snapshot;
pub(super) mod snapshots;
pub(super) mod versions;
pub(super) mod view;
