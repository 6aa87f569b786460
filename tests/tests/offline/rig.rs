//! A database that is out of reach now and then.

use std::time::Duration;

use lightlike::connection::Reconnect;
use lightlike::events::EventStream;
use lightlike::offline::{CallOutcome, Store, SyncState};
use lightlike::prelude::*;
use lightlike_tests::notes::{AddNote, Note, add_note};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::target::Target;

/// A database behind a proxy, and a client that does not go through it.
pub(crate) struct Rig {
    pub(crate) proxy: Proxy,
    pub(crate) target: Target,
    pub(crate) other: Client,
    _notes: Subscription,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let target = Target::notes().await;
        let proxy = Proxy::start(&target.uri()).await;
        let other = target.connect().await;
        let notes = other.subscribe(Note::all()).await.unwrap();
        Self { proxy, target, other, _notes: notes }
    }

    pub(crate) fn builder(&self, store: impl Store) -> lightlike::ClientBuilder {
        let mut reconnect = Reconnect::default();
        reconnect.pause_max = Duration::from_millis(50);
        Client::builder(self.proxy.uri(), self.target.name()).reconnect(reconnect).offline(store)
    }

    /// A client that has been built and not started.
    pub(crate) fn build(&self, store: impl Store) -> Client {
        self.builder(store).build().unwrap()
    }

    /// A client that is connected.
    pub(crate) async fn online(&self, store: impl Store) -> Client {
        let client = self.build(store);
        start(&client).await;
        client
    }

    pub(crate) async fn cut(&self, client: &Client) {
        cut(&self.proxy, client).await;
    }

    pub(crate) async fn come_back(&self, client: &Client) {
        self.proxy.hold_replies(false);
        self.proxy.close(false);
        client.reconnect_now();
        ready(client).await;
    }

    /// The titles that the database has, when there are so many.
    pub(crate) async fn titles(&self, count: usize) -> Vec<String> {
        some_titles(&self.other, count).await
    }
}

pub(crate) async fn cut(proxy: &Proxy, client: &Client) {
    proxy.close(true);
    proxy.cut();
    let lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
    client.state().wait_for(lost).await.unwrap();
}

pub(crate) async fn start(client: &Client) {
    client.start().unwrap();
    ready(client).await;
}

pub(crate) async fn ready(client: &Client) {
    let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
    client.state().wait_for(ready).await.unwrap();
}

/// The titles that a client sees, when there are so many.
pub(crate) async fn some_titles(client: &Client, count: usize) -> Vec<String> {
    let mut inserts = client.table::<Note>().inserts();
    while client.table::<Note>().len() < count {
        inserts.next().await.unwrap().unwrap();
    }
    titles(client)
}

pub(crate) fn titles(client: &Client) -> Vec<String> {
    let mut notes: Vec<Note> = client.table::<Note>().iter().collect();
    notes.sort_by_key(|note| note.id);
    notes.into_iter().map(|note| note.title).collect()
}

pub(crate) async fn settled(client: &Client) -> SyncState {
    client.sync_state().wait_for(|state| state.pending == 0).await.unwrap()
}

pub(crate) async fn next(outcomes: &mut EventStream<CallOutcome>) -> CallOutcome {
    outcomes.next().await.unwrap().unwrap()
}

pub(crate) fn title(text: &str) -> AddNote {
    add_note(text.into())
}
