//! Modules: publishing, deleting, naming.

pub(crate) mod delete;
pub(crate) mod names;
pub(crate) mod publish;
