//! Calls and rows that outlive a client, on both servers: each call is delivered as it says, whatever is cut.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::time::Duration;

use lightlike::prelude::*;
use lightlike::{
    Accepted, CallEnd, CallOutcome, Delivery, EventStream, FileStore, MemoryStore, OfflineConfig,
    Reconnect, RedbStore, Replay, SchemaCheck, Storage, Store, StoreError, SyncState,
    WhileDisconnected, Write,
};
use lightlike_tests::conformance::on_a_real_server_of;
use lightlike_tests::notes::{AddNote, Note, add_note, add_note_once, changed, rename_note};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::real::Module;
use lightlike_tests::target::Target;

/// A database behind a proxy, and a client that does not go through it.
struct Rig {
    proxy: Proxy,
    target: Target,
    other: Client,
    _notes: Subscription,
}

impl Rig {
    async fn new() -> Self {
        let target = Target::notes().await;
        let proxy = Proxy::start(&target.uri()).await;
        let other = target.connect().await;
        let notes = other.subscribe(Note::all()).await.unwrap();
        Self { proxy, target, other, _notes: notes }
    }

    fn builder(&self, store: impl Store) -> lightlike::ClientBuilder {
        let mut reconnect = Reconnect::default();
        reconnect.pause_max = Duration::from_millis(50);
        Client::builder(self.proxy.uri(), self.target.name()).reconnect(reconnect).offline(store)
    }

    /// A client that has been built and not started.
    fn build(&self, store: impl Store) -> Client {
        self.builder(store).build().unwrap()
    }

    /// A client that is connected.
    async fn online(&self, store: impl Store) -> Client {
        let client = self.build(store);
        start(&client).await;
        client
    }

    async fn cut(&self, client: &Client) {
        cut(&self.proxy, client).await;
    }

    async fn come_back(&self, client: &Client) {
        self.proxy.hold_replies(false);
        self.proxy.close(false);
        client.reconnect_now();
        ready(client).await;
    }

    /// The titles that the database has, when there are so many.
    async fn titles(&self, count: usize) -> Vec<String> {
        some_titles(&self.other, count).await
    }
}

async fn cut(proxy: &Proxy, client: &Client) {
    proxy.close(true);
    proxy.cut();
    let lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
    client.state().wait_for(lost).await.unwrap();
}

async fn start(client: &Client) {
    client.start().unwrap();
    ready(client).await;
}

async fn ready(client: &Client) {
    let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
    client.state().wait_for(ready).await.unwrap();
}

/// The titles that a client sees, when there are so many.
async fn some_titles(client: &Client, count: usize) -> Vec<String> {
    let mut inserts = client.table::<Note>().inserts();
    while client.table::<Note>().len() < count {
        inserts.next().await.unwrap().unwrap();
    }
    titles(client)
}

fn titles(client: &Client) -> Vec<String> {
    let mut notes: Vec<Note> = client.table::<Note>().iter().collect();
    notes.sort_by_key(|note| note.id);
    notes.into_iter().map(|note| note.title).collect()
}

async fn settled(client: &Client) -> SyncState {
    client.sync_state().wait_for(|state| state.pending == 0).await.unwrap()
}

async fn next(outcomes: &mut EventStream<CallOutcome>) -> CallOutcome {
    outcomes.next().await.unwrap().unwrap()
}

fn title(text: &str) -> AddNote {
    add_note(text.into())
}

#[tokio::test]
async fn rows_are_readable_before_any_network_and_the_difference_comes_after_it() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    rig.other.call(title("milk")).await.unwrap();
    let first = rig.online(store.clone()).await;
    first.subscribe(Note::all()).await.unwrap().keep();
    let identity = first.identity();
    first.disconnect().await;

    rig.other.call(title("eggs")).await.unwrap();
    let second = rig.build(store);
    assert_eq!(titles(&second), ["milk"]);
    assert!(second.read().is_stale());
    let notes = second.subscribe(Note::all());
    let mut transactions = second.transactions();
    start(&second).await;
    notes.applied().await.unwrap();
    assert_eq!(titles(&second), ["milk", "eggs"]);
    let changes = transactions.next().await.unwrap().unwrap();
    assert_eq!((changes.cause(), changes.of::<Note>().count()), (&Cause::Resync, 1));
    assert_eq!(second.identity(), identity, "the store has the token");
}

#[tokio::test]
async fn calls_made_without_a_network_are_delivered_in_their_order_by_the_next_run() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let first = rig.build(store.clone());
    for text in ["one", "two", "three"] {
        assert_eq!(first.call(title(text)).accepted().await.unwrap(), Accepted::Queued);
    }
    assert_eq!(first.sync_state().get().pending, 3);
    first.disconnect().await;
    drop(first);

    let second = rig.build(store);
    assert_eq!(second.queued_calls().len(), 3);
    let mut outcomes = second.call_outcomes();
    start(&second).await;
    assert_eq!(rig.titles(3).await, ["one", "two", "three"]);
    for _ in 0..3 {
        let outcome = next(&mut outcomes).await;
        assert!(outcome.restored && outcome.end.is_committed(), "{outcome:?}");
        assert_eq!(outcome.reducer.as_str(), "add_note");
    }
    assert_eq!(settled(&second).await.failed, 0);
}

#[tokio::test]
async fn what_a_kept_call_is_expected_to_do_is_seen_by_the_next_run() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let build = |store: MemoryStore| {
        let builder = rig.builder(store).mutator(|tx, call: &AddNote| {
            let id = tx.temp_id();
            tx.insert(Note { id, title: call.title.clone() });
        });
        builder.build().unwrap()
    };
    let first = build(store.clone());
    assert_eq!(first.call(title("milk")).accepted().await.unwrap(), Accepted::Queued);
    assert_eq!(titles(&first), ["milk"]);
    first.disconnect().await;
    drop(first);

    let second = build(store);
    let expected = second.table::<Note>().iter().next().expect("it is there before any network");
    assert!(expected.id.is_temp_id());
    assert!(matches!(second.table::<Note>().status(&expected), Some(RowStatus::Pending(_))));
    second.subscribe(Note::all()).keep();
    start(&second).await;
    settled(&second).await;
    assert_eq!(titles(&second), ["milk"]);
    assert!(second.table::<Note>().iter().all(|note| !note.id.is_temp_id()));
}

/// A call of each delivery, whose answers are lost: sent, run, and not answered.
async fn lose_answers(rig: &Rig, client: &Client) -> Uuid {
    rig.proxy.hold_replies(true);
    client.call(title("at most once")).forget();
    let id = client.new_call_id();
    client.call(add_note_once(id, "exactly once".into())).named(id).forget();
    let probe = "SELECT * FROM note WHERE title = 'probed'";
    client.call(title("probed")).probe(probe).forget();
    client.call(rename_note(1, "renamed".into())).forget();
    assert_eq!(rig.titles(4).await.len(), 4);
    let mut updates = rig.other.table::<Note>().updates();
    while rig.other.table::<Note>().get(&1).unwrap().title != "renamed" {
        updates.next().await.unwrap().unwrap();
    }
    id
}

const DELIVERED: [&str; 4] = ["renamed", "at most once", "exactly once", "probed"];

#[tokio::test]
async fn each_call_whose_answer_is_lost_with_the_socket_is_delivered_as_it_says() {
    let rig = Rig::new().await;
    rig.other.call(title("first")).await.unwrap();
    let client = rig.online(MemoryStore::new()).await;
    let mut outcomes = client.call_outcomes();
    let id = lose_answers(&rig, &client).await;
    rig.cut(&client).await;
    let unknown = next(&mut outcomes).await;
    assert!(matches!(unknown.end, CallEnd::Unknown), "{unknown:?}");
    rig.come_back(&client).await;
    for _ in 0..3 {
        let outcome = next(&mut outcomes).await;
        assert!(outcome.end.is_committed(), "{outcome:?}");
        if outcome.reducer == "add_note_once" {
            assert_eq!(outcome.id, Some(id));
        }
    }
    settled(&client).await;
    assert_eq!(rig.titles(4).await, DELIVERED);
}

#[tokio::test]
async fn each_call_whose_answer_is_lost_with_the_program_is_delivered_as_it_says() {
    let rig = Rig::new().await;
    rig.other.call(title("first")).await.unwrap();
    let store = MemoryStore::new();
    let first = rig.online(store.clone()).await;
    lose_answers(&rig, &first).await;
    // What is on the disk at this moment is what a program that is killed leaves.
    let left = store.copy();
    rig.proxy.close(true);
    rig.proxy.cut();
    first.disconnect().await;

    rig.proxy.hold_replies(false);
    rig.proxy.close(false);
    let second = rig.online(left).await;
    settled(&second).await;
    // The other client may hear of it later.
    let is_renamed = |row: &Option<Note>| row.as_ref().is_some_and(|row| row.title == "renamed");
    rig.other.table::<Note>().watch_row(1).wait_for(is_renamed).await.unwrap();
    assert_eq!(rig.titles(4).await, DELIVERED);
}

#[tokio::test]
async fn without_a_connection_a_call_fails_is_dropped_or_waits_as_it_says() {
    let rig = Rig::new().await;
    let client = rig.online(MemoryStore::new()).await;
    rig.cut(&client).await;
    let fails = client.call(title("a")).while_disconnected(WhileDisconnected::Fail).await;
    assert!(matches!(fails, Err(CallError::NotSent(_))), "{fails:?}");
    let drops = client.call(title("b")).while_disconnected(WhileDisconnected::Drop).await;
    assert!(matches!(drops, Err(CallError::Dropped)), "{drops:?}");
    let waits = client.call(title("c")).send();
    rig.come_back(&client).await;
    waits.await.unwrap();
    assert_eq!(rig.titles(1).await, ["c"]);
}

#[tokio::test]
async fn a_call_expires_or_is_taken_back_before_it_is_sent() {
    let rig = Rig::new().await;
    let client = rig.build(MemoryStore::new());
    client.start().unwrap();
    ready(&client).await;
    rig.cut(&client).await;
    let expires = client.call(title("late")).ttl(Duration::from_millis(20)).await;
    assert!(matches!(expires, Err(CallError::Expired)), "{expires:?}");
    let call = client.call(title("not this")).send();
    assert!(call.cancel());
    assert!(matches!(call.await, Err(CallError::Cancelled)));
    let id = client.new_call_id();
    client.call(title("nor this")).named(id).accepted().await.unwrap();
    assert!(client.cancel(id));
    client.call(title("this")).accepted().await.unwrap();
    rig.come_back(&client).await;
    settled(&client).await;
    assert_eq!(rig.titles(1).await, ["this"]);
}

#[tokio::test]
async fn a_refused_call_is_a_dead_letter_until_it_is_discarded_or_made_again() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let client = rig.build(store.clone());
    client.call(title("")).accepted().await.unwrap();
    client.call(rename_note(1, "late".into())).accepted().await.unwrap();
    start(&client).await;
    let state = client.sync_state().wait_for(|state| state.failed == 2).await.unwrap();
    assert_eq!(state.pending, 0);
    client.disconnect().await;

    let client = rig.online(store).await;
    let letters = client.dead_letters();
    assert_eq!(letters.len(), 2);
    assert!(client.discard(letters[0].id));
    rig.other.call(title("early")).await.unwrap();
    let mut outcomes = client.call_outcomes();
    assert!(client.retry(letters[1].id));
    let outcome = next(&mut outcomes).await;
    assert_eq!((outcome.id, outcome.end.is_committed()), (Some(letters[1].id), true));
    settled(&client).await;
    assert!(client.dead_letters().is_empty());
}

#[tokio::test]
async fn the_application_may_drop_calls_before_they_are_sent() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let client = rig.build(store.clone());
    for text in ["old", "good"] {
        client.call(title(text)).accepted().await.unwrap();
    }
    client.disconnect().await;
    let veto = |call: &lightlike::QueuedCall| match call.args.ends_with(b"old") {
        true => Replay::Drop,
        false => Replay::Send,
    };
    let client = rig.builder(store).before_replay(veto).build().unwrap();
    start(&client).await;
    settled(&client).await;
    assert_eq!(rig.titles(1).await, ["good"]);
    assert_eq!(client.dead_letters()[0].failure, lightlike::Failure::Dropped);
}

/// `add_note` as it was in an earlier version of the program.
mod earlier {
    use lightlike::prelude::*;

    #[reducer]
    pub(crate) fn add_note(title: u32) -> Result<(), String>;
}

#[tokio::test]
async fn a_call_whose_arguments_changed_is_held_until_it_is_made_anew() {
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
async fn kept_calls_that_do_not_fit_the_module_as_it_is_now_are_held_and_say_why() {
    let make = async |client: &Client| {
        client.call(title("seven")).accepted().await.unwrap();
        client.call(rename_note(1, "eight".into())).accepted().await.unwrap();
        let once = add_note_once(client.new_call_id(), "once".into());
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
async fn calls_of_this_run_go_whatever_the_schema_says_and_while_it_is_not_known() {
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
async fn calls_kept_by_a_running_program_are_compared_with_the_module_that_it_comes_back_to() {
    on_a_real_server_of(Module::Notes, async |target| {
        let Target::Real(database) = target else { unreachable!() };
        let proxy = Proxy::start(database.uri()).await;
        let builder = Client::builder(proxy.uri(), target.name()).offline(MemoryStore::new());
        let client = builder.build().unwrap();
        start(&client).await;
        client.call(title("before")).await.unwrap();
        cut(&proxy, &client).await;
        client.call(title("kept")).accepted().await.unwrap();
        client.call(add_note_once(client.new_call_id(), "once".into())).accepted().await.unwrap();
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
async fn without_a_schema_check_kept_calls_go_as_the_program_takes_them() {
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

/// A disk that fails after so many writes.
struct Failing(MemoryStore, usize);

impl Store for Failing {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], bytes::Bytes)) -> Result<(), StoreError> {
        self.0.load(each)
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        match self.1.checked_sub(1) {
            Some(left) => self.1 = left,
            None => return Err(StoreError::new("write to", "the disk", "it is full")),
        }
        self.0.commit(writes)
    }

    fn put_aside(&mut self) -> Result<Option<std::path::PathBuf>, StoreError> {
        self.0.put_aside()
    }
}

#[tokio::test]
async fn a_failing_disk_is_told_of_and_calls_go_on_while_there_is_a_network() {
    let rig = Rig::new().await;
    let client = rig.build(Failing(MemoryStore::new(), 0));
    let state = client.sync_state().wait_for(|state| state.storage != Storage::Good).await.unwrap();
    assert_eq!(state.storage, Storage::Degraded("cannot write to the disk: it is full".into()));
    let accepted = client.call(title("early")).accepted().await.unwrap();
    assert_eq!(accepted, Accepted::Waiting, "it is not on the disk, and nobody says so");
    start(&client).await;
    client.call(title("online")).await.unwrap();
    assert_eq!(rig.titles(2).await, ["early", "online"]);
}

#[tokio::test]
async fn a_store_in_a_file_and_one_in_redb_survive_what_a_program_does() {
    let folder = tempfile::tempdir().unwrap();
    for which in 0..2 {
        let rig = Rig::new().await;
        let path = folder.path().join(which.to_string());
        let build = || match which {
            0 => rig.build(FileStore::open(&path).unwrap()),
            _ => rig.build(RedbStore::open(&path).unwrap()),
        };
        let client = build();
        client.call(title("kept")).accepted().await.unwrap();
        client.disconnect().await;
        let client = build();
        start(&client).await;
        settled(&client).await;
        client.subscribe(Note::all()).await.unwrap().keep();
        client.disconnect().await;
        let client = build();
        assert_eq!((client.queued_calls().len(), titles(&client)), (0, vec!["kept".into()]));
        client.disconnect().await;
    }
}

#[tokio::test]
async fn another_users_calls_wait_for_that_user() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let ada = rig.online(store.clone()).await;
    let token = ada.token().unwrap();
    rig.cut(&ada).await;
    ada.call(title("ada's")).accepted().await.unwrap();
    ada.disconnect().await;
    rig.proxy.close(false);

    let grace = rig.target.connect().await.token().unwrap();
    let client = rig.builder(store.clone()).token(&grace).build().unwrap();
    assert!(client.queued_calls().is_empty());
    start(&client).await;
    client.call(title("grace's")).await.unwrap();
    client.disconnect().await;

    let client = rig.builder(store).token(&token).build().unwrap();
    assert_eq!(client.queued_calls().len(), 1);
    start(&client).await;
    settled(&client).await;
    assert_eq!(rig.titles(2).await, ["grace's", "ada's"]);
}

/// The store knows who a token is only when the server has said so.
#[tokio::test]
async fn a_users_calls_are_sent_and_told_when_that_user_comes_with_another_token() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let first = rig.online(store.clone()).await;
    let token = first.token().unwrap();
    rig.cut(&first).await;
    first.call(title("kept")).accepted().await.unwrap();
    first.disconnect().await;
    rig.proxy.close(false);

    let http = lightlike::http::Http::new(&rig.target.uri()).unwrap().with_token(&token);
    let renewed = http.websocket_token().await.unwrap();
    let second = rig.builder(store).token(&renewed).build().unwrap();
    let mut outcomes = second.call_outcomes();
    assert!(second.queued_calls().is_empty());
    start(&second).await;
    let outcome = next(&mut outcomes).await;
    assert!(outcome.restored && outcome.end.is_committed(), "{outcome:?}");
    assert_eq!(rig.titles(1).await, ["kept"]);
}

#[tokio::test]
async fn a_queue_has_an_end() {
    let rig = Rig::new().await;
    let mut config = OfflineConfig::default();
    config.max_queued = 1;
    let client = rig.builder(MemoryStore::new()).offline_config(config).build().unwrap();
    client.call(title("a")).accepted().await.unwrap();
    let full = client.call(title("b")).accepted().await;
    assert!(matches!(full, Err(CallError::NotSent(_))), "{full:?}");
}

#[tokio::test]
async fn without_a_store_a_call_that_may_run_twice_is_sent_again() {
    let rig = Rig::new().await;
    rig.other.call(title("first")).await.unwrap();
    let client = Client::builder(rig.proxy.uri(), rig.target.name()).connect().await.unwrap();
    rig.proxy.hold_replies(true);
    let id = client.new_call_id();
    let once = client.call(add_note_once(id, "once".into())).send();
    let named = client.call(title("named")).delivery(Delivery::AtMostOnce).send();
    rig.titles(3).await;
    rig.cut(&client).await;
    assert!(matches!(named.await, Err(CallError::Unknown)));
    rig.come_back(&client).await;
    once.await.unwrap();
    assert_eq!(rig.titles(3).await, ["first", "once", "named"]);
}
