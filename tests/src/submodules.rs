//! The module `submodules` (see `tests/modules`): its tables and functions as Rust, by their names on the wire, and the same
//! module on the embedded server.

use lightlike::prelude::*;
use lightlike_testkit::{Server, Tx};

/// A row of the module's own table.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "account")]
pub struct Account {
    /// Assigned by the server.
    #[primary_key]
    pub id: u64,
    /// Name of the account.
    pub name: String,
}

/// A type of the submodule `my_auth`.
#[derive(Bsatn, Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// Without a number.
    Guest,
    /// With one.
    Member(u32),
}

/// A row of a submodule's table.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "my_auth.user_session")]
pub struct UserSession {
    /// Assigned by the server.
    #[primary_key]
    pub id: u64,
    /// Name that was given.
    pub user_name: String,
    /// Level that was given.
    pub level: Level,
}

/// A view of a submodule.
#[derive(Table)]
#[table(view, name = "my_auth.all_sessions", row = UserSession, primary_key = id)]
pub struct AllSessions;

/// A type of the submodule `my_auth.vault`, which the module calls `Level` too.
#[derive(Bsatn, Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultLevel {
    /// The first.
    Low,
    /// The second.
    High,
}

/// A row of the table of a submodule's submodule.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "my_auth.vault.stored_item")]
pub struct StoredItem {
    /// Assigned by the server.
    #[primary_key]
    pub id: u64,
    /// Label that was given.
    pub label: String,
    /// Level that was given.
    pub level: VaultLevel,
}

/// A row of the table of a submodule with a capital in its name.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "Money.invoice")]
pub struct Invoice {
    /// Assigned by the server.
    #[primary_key]
    pub id: u64,
    /// Amount that was given.
    pub amount: i64,
}

/// Adds an account.
#[reducer]
pub fn add_account(name: String) -> Result<(), String>;

/// Adds a session, whose name must not be empty.
#[reducer(name = "my_auth.log_in")]
pub fn log_in(user_name: String, level: Level) -> Result<(), String>;

/// Adds an item.
#[reducer(name = "my_auth.vault.store_item")]
pub fn store_item(label: String, level: VaultLevel) -> Result<(), String>;

/// Adds an invoice.
#[reducer(name = "Money.send_invoice")]
pub fn send_invoice(amount: i64) -> Result<(), String>;

/// Returns a greeting.
#[procedure(name = "my_auth.greet_user")]
pub fn greet_user(user_name: String) -> String;

/// The module on the embedded server. Its words are those of `tests/modules/submodules`.
pub async fn embedded() -> Server {
    Server::builder()
        .database("submodules")
        .table::<Account>()
        .table::<UserSession>()
        .table::<StoredItem>()
        .table::<Invoice>()
        .view::<AllSessions>(|tx| tx.iter::<UserSession>().collect())
        .reducer(|tx: &mut Tx, AddAccount { name }| {
            let id = tx.next_id::<Account>();
            tx.insert(Account { id, name });
            Ok(())
        })
        .reducer(|tx: &mut Tx, LogIn { user_name, level }| {
            if user_name.is_empty() {
                return Err("Names must not be empty".into());
            }
            let id = tx.next_id::<UserSession>();
            tx.insert(UserSession { id, user_name, level });
            Ok(())
        })
        .reducer(|tx: &mut Tx, StoreItem { label, level }| {
            let id = tx.next_id::<StoredItem>();
            tx.insert(StoredItem { id, label, level });
            Ok(())
        })
        .reducer(|tx: &mut Tx, SendInvoice { amount }| {
            let id = tx.next_id::<Invoice>();
            tx.insert(Invoice { id, amount });
            Ok(())
        })
        .procedure(|_, GreetUser { user_name }| format!("hello, {user_name}"))
        .start()
        .await
}
