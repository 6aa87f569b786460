//! Schemas: shown, compared, generated from.

pub(crate) mod check;
pub(crate) mod describe;
pub(crate) mod generate;
