//! Who is connected, who was, and who may not.

use spacetimedb::{Identity, ReducerContext, Table, reducer, table};

/// An identity with a connection.
#[table(accessor = connected, public)]
pub struct Connected {
    identity: Identity,
}

/// An identity that ended a connection.
#[table(accessor = disconnected, public)]
pub struct Disconnected {
    identity: Identity,
}

/// An identity whose next connection is refused.
#[table(accessor = banned, public)]
pub struct Banned {
    #[primary_key]
    identity: Identity,
}

#[reducer(client_connected)]
pub fn identity_connected(ctx: &ReducerContext) -> Result<(), String> {
    let identity = ctx.sender();
    if ctx.db.banned().identity().find(identity).is_some() {
        return Err("this identity is banned".into());
    }
    ctx.db.connected().insert(Connected { identity });
    Ok(())
}

#[reducer(client_disconnected)]
pub fn identity_disconnected(ctx: &ReducerContext) {
    let identity = ctx.sender();
    ctx.db.connected().delete(Connected { identity });
    ctx.db.disconnected().insert(Disconnected { identity });
}

#[reducer]
pub fn ban(ctx: &ReducerContext, identity: Identity) -> Result<(), String> {
    let inserted = ctx.db.banned().try_insert(Banned { identity });
    inserted.map(|_| ()).map_err(|e| e.to_string())
}

#[reducer]
pub fn unban(ctx: &ReducerContext, identity: Identity) {
    ctx.db.banned().identity().delete(identity);
}
