//! Submodules whose names in the source and on the wire differ, one inside another.
//!
//! The bindings for Rust have no submodules, though the server has: this module says itself what it is, and numbers its
//! functions as the server does, its own before those of its submodules, depth first.
//!
//! | in the source | on the wire | why |
//! | --- | --- | --- |
//! | `myAuth` | `my_auth` | names of the source are written in the server's way |
//! | `deepVault`, in `myAuth` | `my_auth.vault` | it is given this name |
//! | `billing` | `Money` | it is given this name |

mod host;

use spacetimedb_bindings_sys::raw::{BytesSink, BytesSource};
use spacetimedb_lib::db::raw_def::v9::{ViewResultHeader, btree};
use spacetimedb_lib::db::raw_def::v10::{
    ExplicitNames, RawModuleDefV10, RawModuleDefV10Builder as Builder,
};
use spacetimedb_lib::sats::{AlgebraicType, ProductType};
use spacetimedb_lib::{RawModuleDef, SpacetimeType, bsatn};

/// A row of `account`.
#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib)]
struct Account {
    id: u64,
    name: String,
}

/// A type of `myAuth`. Each submodule numbers its types from zero.
#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib)]
enum Level {
    Guest,
    Member(u32),
}

/// A row of `my_auth.user_session`.
#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib)]
struct UserSession {
    id: u64,
    user_name: String,
    level: Level,
}

/// A type of `deepVault`, of the same name as one of `myAuth` and another shape.
#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib, name = "Level")]
enum VaultLevel {
    Low,
    High,
}

/// A row of `my_auth.vault.stored_item`.
#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib)]
struct StoredItem {
    id: u64,
    label: String,
    level: VaultLevel,
}

/// A row of `Money.invoice`.
#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib)]
struct Invoice {
    id: u64,
    amount: i64,
}

/// Adds a table whose column `id` is its primary key and numbered by the server.
fn add_table<Row: SpacetimeType>(module: &mut Builder, name: &'static str) {
    let AlgebraicType::Ref(row) = module.add_type::<Row>() else { panic!("a row is a struct") };
    let table = module.build_table(name, row).with_auto_inc_primary_key(0);
    table.with_index(btree(0), format!("{name}_id_idx_btree"), "id").finish();
}

fn root() -> RawModuleDefV10 {
    let mut module = Builder::new();
    add_table::<Account>(&mut module, "account");
    module.add_reducer("addAccount", ProductType::from([("name", AlgebraicType::String)]));
    module.add_submodule("myAuth", auth());
    module.add_submodule("billing", billing());
    let mut names = ExplicitNames::default();
    names.insert_namespace("billing", "Money");
    module.add_explicit_names(names);
    module.finish()
}

fn auth() -> RawModuleDefV10 {
    let mut module = Builder::new();
    add_table::<UserSession>(&mut module, "userSession");
    let (session, level) = (module.add_type::<UserSession>(), module.add_type::<Level>());
    let login = [("user_name", AlgebraicType::String), ("level", level)];
    module.add_reducer("logIn", ProductType::from(login));
    let name = [("user_name", AlgebraicType::String)];
    module.add_procedure("greetUser", ProductType::from(name), AlgebraicType::String);
    let query = AlgebraicType::product([("__query__", session)]);
    module.add_view("allSessions", 0, true, true, ProductType::unit(), query);
    module.add_submodule("deepVault", vault());
    let mut names = ExplicitNames::default();
    names.insert_namespace("deepVault", "vault");
    module.add_explicit_names(names);
    module.finish()
}

fn vault() -> RawModuleDefV10 {
    let mut module = Builder::new();
    add_table::<StoredItem>(&mut module, "storedItem");
    let level = module.add_type::<VaultLevel>();
    let item = [("label", AlgebraicType::String), ("level", level)];
    module.add_reducer("storeItem", ProductType::from(item));
    module.finish()
}

fn billing() -> RawModuleDefV10 {
    let mut module = Builder::new();
    add_table::<Invoice>(&mut module, "invoice");
    module.add_reducer("sendInvoice", ProductType::from([("amount", AlgebraicType::I64)]));
    module.finish()
}

#[unsafe(no_mangle)]
extern "C" fn __describe_module__(description: BytesSink) {
    let module = bsatn::to_vec(&RawModuleDef::V10(root())).expect("a definition can be encoded");
    host::write(description, &module);
}

#[unsafe(no_mangle)]
extern "C" fn __call_reducer__(
    id: usize,
    _sender_0: u64,
    _sender_1: u64,
    _sender_2: u64,
    _sender_3: u64,
    _connection_0: u64,
    _connection_1: u64,
    _timestamp: u64,
    args: BytesSource,
    error: BytesSink,
) -> i16 {
    match reduce(id, args) {
        Ok(()) => 0,
        Err(text) => {
            host::write(error, text.as_bytes());
            host::FAILED
        }
    }
}

fn reduce(id: usize, args: BytesSource) -> Result<(), &'static str> {
    match id {
        0 => add_account(host::args(args)),
        1 => return log_in(host::args(args)),
        2 => store_item(host::args(args)),
        3 => send_invoice(host::args(args)),
        _ => return Err("no such reducer"),
    }
    Ok(())
}

#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib)]
struct AddAccount {
    name: String,
}

fn add_account(AddAccount { name }: AddAccount) {
    host::insert("account", &Account { id: 0, name });
}

#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib)]
struct LogIn {
    user_name: String,
    level: Level,
}

fn log_in(LogIn { user_name, level }: LogIn) -> Result<(), &'static str> {
    if user_name.is_empty() {
        return Err("Names must not be empty");
    }
    host::insert("my_auth.user_session", &UserSession { id: 0, user_name, level });
    Ok(())
}

#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib)]
struct StoreItem {
    label: String,
    level: VaultLevel,
}

fn store_item(StoreItem { label, level }: StoreItem) {
    host::insert("my_auth.vault.stored_item", &StoredItem { id: 0, label, level });
}

#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib)]
struct SendInvoice {
    amount: i64,
}

fn send_invoice(SendInvoice { amount }: SendInvoice) {
    host::insert("Money.invoice", &Invoice { id: 0, amount });
}

#[derive(SpacetimeType)]
#[sats(crate = spacetimedb_lib)]
struct GreetUser {
    user_name: String,
}

/// The one procedure, `my_auth.greet_user`.
#[unsafe(no_mangle)]
extern "C" fn __call_procedure__(
    _id: usize,
    _sender_0: u64,
    _sender_1: u64,
    _sender_2: u64,
    _sender_3: u64,
    _connection_0: u64,
    _connection_1: u64,
    _timestamp: u64,
    args: BytesSource,
    result: BytesSink,
) -> i16 {
    let GreetUser { user_name } = host::args(args);
    let greeting = bsatn::to_vec(&format!("hello, {user_name}")).expect("a text can be encoded");
    host::write(result, &greeting);
    0
}

/// The one view, `my_auth.all_sessions`.
#[unsafe(no_mangle)]
extern "C" fn __call_view_anon__(_id: usize, _args: BytesSource, rows: BytesSink) -> i16 {
    /// Status of a view that says first in which way it has its rows.
    const WITH_HEADER: i16 = 2;
    let query = ViewResultHeader::RawSql("SELECT * FROM my_auth.user_session".to_owned());
    host::write(rows, &bsatn::to_vec(&query).expect("a header can be encoded"));
    WITH_HEADER
}
