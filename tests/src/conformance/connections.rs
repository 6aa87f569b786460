//! Connections: those that are there, that were, and that are refused.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

use super::keys::insert;

/// An identity with a connection.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct Connected {
    pub identity: Identity,
}

/// An identity that ended a connection.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct Disconnected {
    pub identity: Identity,
}

/// An identity whose next connection is refused.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct Banned {
    #[primary_key]
    pub identity: Identity,
}

#[reducer]
pub fn ban(identity: Identity) -> Result<(), String>;

#[reducer]
pub fn unban(identity: Identity);

pub(super) fn install(builder: Builder) -> Builder {
    builder
        .table::<Connected>()
        .table::<Disconnected>()
        .table::<Banned>()
        .on_connect(|tx| {
            let identity = tx.sender();
            if tx.find(Banned::IDENTITY, &identity).is_some() {
                return Err("this identity is banned".into());
            }
            tx.insert(Connected { identity });
            Ok(())
        })
        .on_disconnect(|tx| {
            let identity = tx.sender();
            tx.delete(&Connected { identity });
            tx.insert(Disconnected { identity });
        })
        .reducer(|tx: &mut Tx, Ban { identity }| insert(tx, Banned { identity }))
        .reducer(|tx: &mut Tx, Unban { identity }| {
            tx.delete(&Banned { identity });
            Ok(())
        })
}
