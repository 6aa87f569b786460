//! A chat: who is here, and what they said.

use spacetimedb::{Identity, ReducerContext, Table, Timestamp, reducer, table};

#[table(accessor = user, public)]
pub struct User {
    #[primary_key]
    identity: Identity,
    name: Option<String>,
    /// Whether the person has a connection. True after the first of several, false after the end of any.
    online: bool,
}

#[table(accessor = message, public)]
pub struct Message {
    sender: Identity,
    sent: Timestamp,
    text: String,
}

#[reducer(init)]
pub fn init(_ctx: &ReducerContext) {}

/// Gives the caller a name.
#[reducer]
pub fn set_name(ctx: &ReducerContext, name: String) -> Result<(), String> {
    if name.is_empty() {
        return Err("Names must not be empty".into());
    }
    let users = ctx.db.user().identity();
    let user = users.find(ctx.sender()).ok_or("Cannot name an unknown user")?;
    users.update(User { name: Some(name), ..user });
    Ok(())
}

/// Says something to everybody.
#[reducer]
pub fn send_message(ctx: &ReducerContext, text: String) -> Result<(), String> {
    if text.is_empty() {
        return Err("Messages must not be empty".into());
    }
    ctx.db.message().insert(Message { sender: ctx.sender(), sent: ctx.timestamp, text });
    Ok(())
}

#[reducer(client_connected)]
pub fn identity_connected(ctx: &ReducerContext) {
    let users = ctx.db.user().identity();
    match users.find(ctx.sender()) {
        Some(user) => {
            users.update(User { online: true, ..user });
        }
        None => {
            ctx.db.user().insert(User { identity: ctx.sender(), name: None, online: true });
        }
    }
}

#[reducer(client_disconnected)]
pub fn identity_disconnected(ctx: &ReducerContext) {
    let users = ctx.db.user().identity();
    if let Some(user) = users.find(ctx.sender()) {
        users.update(User { online: false, ..user });
    }
}
