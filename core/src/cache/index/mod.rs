//! Indexes: row ids by hash, in order, by identity.

pub(super) mod bucket;
pub(super) mod declared;
pub(super) mod hash;
pub(super) mod identity;
pub(super) mod ordered;
