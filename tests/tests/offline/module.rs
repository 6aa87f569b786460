//! Kept calls of functions that take something else by now, in the program or on the server.

use lightlike::connection::SchemaCheck;
use lightlike::offline::{MemoryStore, SyncState};
use lightlike::prelude::*;
use lightlike_tests::conformance::on_a_real_server_of;
use lightlike_tests::notes::{AddNote, Note, add_note_once, changed, rename_note};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::real::Module;
use lightlike_tests::target::Target;

use crate::rig::{Rig, cut, settled, some_titles, start, title, titles};

/// `add_note` as it was in an earlier version of the program.
mod earlier {
    use lightlike::prelude::*;

    #[reducer]
    pub(crate) fn add_note(title: u32) -> Result<(), String>;
}

#[tokio::test]
async fn changed_arguments_hold_call_until_migrated() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let client = rig.build(store.clone());
    client.call(earlier::add_note(7)).accepted().await.unwrap();
    client.disconnect().await;
    let client = rig.builder(store).reducer::<AddNote>().build().unwrap();
    start(&client).await;
    let state = client.sync_state().wait_for(|state| state.held == 1).await.unwrap();
    assert_eq!(state.pending, 1);
    client.call(title("not held up")).await.unwrap();
    let held = client.queued_calls()[0].id;
    assert!(client.migrate(held, &title("seven")));
    settled(&client).await;
    assert_eq!(rig.titles(2).await, ["not held up", "seven"]);
}

/// A run that kept calls of the module as it was, and the next one, which finds a later version of it.
async fn after_a_change_of_the_module(
    make: impl AsyncFnOnce(&Client),
    build: impl FnOnce(lightlike::ClientBuilder) -> lightlike::ClientBuilder,
) -> (Client, Client, Proxy, Target) {
    let (store, target) = (MemoryStore::new(), Target::notes().await);
    let proxy = Proxy::start(&target.uri()).await;
    let builder = || Client::builder(proxy.uri(), target.name()).schema_check(SchemaCheck::Warn);
    let client = builder().offline(store.clone()).build().unwrap();
    make(&client).await;
    client.disconnect().await;
    drop(client);
    let client = build(builder().offline(store)).build().unwrap();
    let target = target.into_changed_notes().await;
    proxy.point_to(&target.uri());
    let other = target.connect().await;
    other.subscribe(Note::all()).await.unwrap().keep();
    start(&client).await;
    (client, other, proxy, target)
}

#[tokio::test]
async fn mismatched_persisted_calls_are_held_with_reason() {
    let make = async |client: &Client| {
        client.call(title("seven")).accepted().await.unwrap();
        client.call(rename_note(1, "eight".into())).accepted().await.unwrap();
        let once = add_note_once(client.new_idempotency_key(), "once".into());
        client.call(once).accepted().await.unwrap();
    };
    // The program has not changed: what it takes is what the calls were made with.
    let build = |builder: lightlike::ClientBuilder| builder.reducer::<AddNote>();
    let (client, other, _proxy, _target) = after_a_change_of_the_module(make, build).await;

    let state = client.sync_state().wait_for(|state| state.pending == 2).await.unwrap();
    assert_eq!(state.held, 2, "and the third one was sent");
    let held = client.queued_calls();
    let why: Vec<_> = held.iter().map(|call| call.held.as_ref().unwrap().to_string()).collect();
    let takes = "the server's reducer takes other arguments than the call was made with";
    let takes = format!("{takes}: (title: String, copies: u8)");
    assert_eq!(why, [takes.as_str(), "there is no such reducer any more"]);
    assert_eq!(some_titles(&other, 1).await, ["once"]);

    // Arguments that the program takes and the server does not are no way out; those that both take are.
    assert!(!client.migrate(held[0].id, &title("seven")));
    assert!(client.migrate(held[0].id, &changed::add_note("seven".into(), 2)));
    assert!(client.cancel(held[1].id));
    settled(&client).await;
    assert_eq!(some_titles(&other, 3).await, ["once", "seven", "seven"]);
}

#[tokio::test]
async fn new_calls_ignore_schema_and_do_not_wait() {
    let make = async |client: &Client| {
        client.call(title("kept")).accepted().await.unwrap();
    };
    let (client, other, _proxy, _target) = after_a_change_of_the_module(make, |it| it).await;
    client.call(changed::add_note("now".into(), 1)).await.unwrap();
    client.sync_state().wait_for(|state| state.held == 1).await.unwrap();
    client.call(changed::add_note("then".into(), 1)).await.unwrap();
    client.disconnect().await;
    assert_eq!(some_titles(&other, 2).await, ["now", "then"]);
}

/// The embedded server's module does not change while it runs.
#[tokio::test]
async fn queued_calls_are_checked_against_returning_module() {
    on_a_real_server_of(Module::Notes, async |target| {
        let Target::Real(database) = target else { unreachable!() };
        let proxy = Proxy::start(database.uri()).await;
        let builder = Client::builder(proxy.uri(), target.name()).offline(MemoryStore::new());
        let client = builder.build().unwrap();
        start(&client).await;
        client.call(title("before")).await.unwrap();
        cut(&proxy, &client).await;
        client.call(title("kept")).accepted().await.unwrap();
        client
            .call(add_note_once(client.new_idempotency_key(), "once".into()))
            .accepted()
            .await
            .unwrap();
        database.update(Module::NotesChanged).await.unwrap();
        proxy.close(false);
        client.reconnect_now();
        let one_is_held = |state: &SyncState| (state.pending, state.held) == (1, 1);
        client.sync_state().wait_for(one_is_held).await.unwrap();
        let queued = client.queued_calls();
        let why = "the server's reducer takes other arguments than the call was made with: \
                   (title: String, copies: u8)";
        assert_eq!(queued[0].held.as_ref().unwrap().to_string(), why);
    })
    .await;
}

#[tokio::test]
async fn persisted_calls_go_unchecked_without_schema_check() {
    let make = async |client: &Client| {
        client.call(title("kept")).accepted().await.unwrap();
    };
    let off = |builder: lightlike::ClientBuilder| builder.schema_check(SchemaCheck::Off);
    let (client, other, _proxy, _target) = after_a_change_of_the_module(make, off).await;
    settled(&client).await;
    assert_eq!(client.sync_state().get().held, 0);
    assert_eq!(client.dead_letters().len(), 1, "the server could not make anything of it");
    assert_eq!(titles(&other), [""; 0]);
}
