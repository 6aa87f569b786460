//! Tables: handles, views, reads.

pub(crate) mod handle;
pub(crate) mod named;
pub(crate) mod reads;
pub(crate) mod view;
