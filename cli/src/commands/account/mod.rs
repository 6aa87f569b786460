//! Identities and tokens.

pub(crate) mod identity;
pub(crate) mod login;
