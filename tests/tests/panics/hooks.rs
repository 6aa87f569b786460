//! Hooks, stores, providers, transports, wakers and subscribers that panic: each fails in its own way, and the client lives.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use lightlike::ErrorKind;
use lightlike::auth::Refresh;
use lightlike::auth::{MemoryTokens, TokenStore};
use lightlike::connection::Reconnect;
use lightlike::offline::{MemoryStore, Replay, Storage, Store, StoreError, Write};
use lightlike::prelude::*;
use lightlike_tests::chat::{Message, send_message};
use lightlike_tests::notes::{Note, add_note};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::target::Target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

use crate::{panics_of, soon};

/// A token store that panics at one of its methods.
struct Tokens(&'static str, MemoryTokens);

type Failure = Box<dyn StdError + Send + Sync>;

impl TokenStore for Tokens {
    fn load(&self) -> Result<Option<String>, Failure> {
        assert_ne!(self.0, "load", "no keys");
        self.1.load()
    }

    fn save(&self, token: &str) -> Result<(), Failure> {
        assert_ne!(self.0, "save", "no keys");
        self.1.save(token)
    }

    fn clear(&self) -> Result<(), Failure> {
        assert_ne!(self.0, "clear", "no keys");
        self.1.clear()
    }
}

#[tokio::test]
async fn panic_of_token_store_is_its_error() {
    let target = Target::chat().await;
    let builder = |at| target.builder().token_store(Tokens(at, MemoryTokens::new()));
    for at in ["load", "save"] {
        let error = soon(builder(at).connect()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenStore, "{error:?}");
        assert!(format!("{error:?}").contains("no keys"), "{error:?}");
    }
    // A client that goes on without it lives.
    let db = builder("save").build().unwrap();
    let panics = panics_of(&db);
    db.start().unwrap();
    let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
    soon(db.state().wait_for(ready)).await.unwrap();
    assert!(panics.take().iter().any(|panic| panic.starts_with("token store -: ")));
    soon(db.call(send_message("hello".into()))).await.unwrap();
    let db = soon(builder("clear").connect()).await.unwrap();
    let error = soon(db.logout()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenStore);
    assert!(matches!(db.state().get(), ConnectionState::Closed(_)));
}

#[tokio::test]
async fn panic_of_provider_is_its_error() {
    let target = Target::chat().await;
    let at_once = |_| -> std::future::Ready<Result<String, Failure>> { panic!("on holiday") };
    let later =
        |_| async { if true { panic!("on holiday") } else { Err::<String, Failure>("".into()) } };
    for refresh in [Refresh::new(at_once), Refresh::new(later)] {
        let db = target.builder().refresh_token(refresh).build().unwrap();
        let panics = panics_of(&db);
        db.start().unwrap();
        let parked = |state: &ConnectionState| matches!(state, ConnectionState::NeedsAuth(_));
        soon(db.state().wait_for(parked)).await.unwrap();
        assert_eq!(panics.take(), ["token provider -: on holiday"]);
        let ConnectionState::NeedsAuth(lost) = db.state().get() else { unreachable!() };
        assert!(format!("{lost:?}").contains("on holiday"), "{lost:?}");
        // Whoever has a token can go on.
        let other = target.connect().await;
        db.set_token(other.token().unwrap()).unwrap();
        let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
        soon(db.state().wait_for(ready)).await.unwrap();
    }
}

#[tokio::test]
async fn veto_that_panics_keeps_the_call() {
    let target = Target::notes().await;
    let proxy = Proxy::start(&target.uri()).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let db = Client::builder(proxy.uri(), target.name())
        .offline(MemoryStore::new())
        .before_replay(move |call| {
            if count.fetch_add(1, Ordering::Relaxed) == 0 {
                panic!("not decided");
            }
            let _ = call;
            Replay::Drop
        })
        .build()
        .unwrap();
    let panics = panics_of(&db);
    proxy.close(true);
    let kept = db.call(add_note("kept".into())).send();
    let dropped = db.call(add_note("dropped".into())).send();
    db.start().unwrap();
    proxy.close(false);
    db.reconnect_now();
    soon(kept).await.unwrap();
    assert!(matches!(soon(dropped).await, Err(CallError::Dropped)));
    assert_eq!(panics.take(), ["before_replay -: not decided"]);
    let _notes = soon(db.subscribe(Note::all()).into_future()).await.unwrap();
    assert_eq!(db.table::<Note>().len(), 1);
}

/// A store that panics at one of its methods.
struct Panicking(&'static str, MemoryStore);

impl Store for Panicking {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], bytes::Bytes)) -> Result<(), StoreError> {
        assert_ne!(self.0, "load", "no disk");
        self.1.load(each)
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        assert_ne!(self.0, "commit", "no disk");
        self.1.commit(writes)
    }

    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        self.1.put_aside()
    }
}

impl Drop for Panicking {
    fn drop(&mut self) {
        assert_ne!(self.0, "drop", "no disk");
    }
}

#[tokio::test]
async fn panic_of_offline_store_is_disk_failure() {
    let target = Target::notes().await;
    let builder = |at| target.builder().offline(Panicking(at, MemoryStore::new()));
    let error = builder("load").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(format!("{error:?}").contains("no disk"), "{error:?}");
    let db = builder("commit").build().unwrap();
    let panics = panics_of(&db);
    db.start().unwrap();
    let degraded =
        |state: &lightlike::offline::SyncState| matches!(state.storage, Storage::Degraded(_));
    let state = soon(db.sync_state().wait_for(degraded)).await.unwrap();
    assert!(format!("{state:?}").contains("no disk"), "{state:?}");
    soon(db.call(add_note("sent all the same".into()))).await.unwrap();
    let is_told = |panic: &String| panic.starts_with("store -: ") && panic.contains("no disk");
    soon(async {
        // The disk's thread says so after the state.
        while !panics.take().iter().any(is_told) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    soon(db.disconnect()).await;
    let db = soon(builder("drop").connect()).await.unwrap();
    soon(db.disconnect()).await;
}

/// A stream that panics once it is armed.
struct Faulty(TcpStream, Arc<AtomicBool>);

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        assert!(!self.1.load(Ordering::Relaxed), "no wire");
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        assert!(!self.1.load(Ordering::Relaxed), "no wire");
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn panic_of_transport_is_lost_socket() {
    let target = Target::chat().await;
    let armed = Arc::new(AtomicBool::new(false));
    let (arm, address) = (Arc::clone(&armed), target.uri().replace("http://", ""));
    let mut reconnect = Reconnect::default();
    reconnect.pause_max = std::time::Duration::from_millis(10);
    let builder = target.builder().reconnect(reconnect).transport(move |_| {
        let (arm, address) = (Arc::clone(&arm), address.clone());
        async move { Ok(Faulty(TcpStream::connect(address).await?, arm)) }
    });
    let db = soon(builder.connect()).await.unwrap();
    let panics = panics_of(&db);
    let _messages = db.subscribe(Message::all()).await.unwrap();
    armed.store(true, Ordering::Relaxed);
    let lost = soon(db.call(send_message("lost".into()))).await;
    assert!(matches!(lost, Err(CallError::Unknown)), "{lost:?}");
    armed.store(false, Ordering::Relaxed);
    let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
    soon(db.state().wait_for(ready)).await.unwrap();
    soon(db.call(send_message("there again".into()))).await.unwrap();
    assert!(panics.take().contains(&"transport -: no wire".to_owned()));
}

#[tokio::test]
async fn transport_that_cannot_be_opened_names_its_panic() {
    let target = Target::chat().await;
    let connect = |_: &_| -> std::future::Ready<std::io::Result<TcpStream>> { panic!("no road") };
    let error = soon(target.builder().transport(connect).connect()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(format!("{error:?}").contains("no road"), "{error:?}");
}

/// A waker that panics, and says that it was to wake.
struct Alarm(Arc<AtomicUsize>);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("no sleep");
    }
}

#[tokio::test]
async fn wakers_that_panic_deprive_nobody() {
    let target = Target::chat().await;
    let db = target.connect().await;
    let panics = panics_of(&db);
    let messages = db.subscribe(Message::all()).await.unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let waker = Waker::from(Arc::new(Alarm(Arc::clone(&woken))));
    let cx = &mut Context::from_waker(&waker);
    let (mut stream, mut state) = (db.table::<Message>().inserts(), db.state());
    let mut table = db.table::<Message>().watch();
    let mut call = pin!(db.call(send_message("hello".into())).into_future());
    let mut ended = pin!(messages.ended());
    let mut inserted = pin!(stream.next());
    let mut changed = pin!(table.changed());
    let mut closed = pin!(state.changed());
    assert!(call.as_mut().poll(cx).is_pending() && ended.as_mut().poll(cx).is_pending());
    assert!(inserted.as_mut().poll(cx).is_pending() && changed.as_mut().poll(cx).is_pending());
    assert!(closed.as_mut().poll(cx).is_pending());
    let mut other = db.table::<Message>().inserts();
    assert!(soon(other.next()).await.unwrap().is_ok());
    soon(async {
        while woken.load(Ordering::Relaxed) < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let ready = &mut Context::from_waker(Waker::noop());
    assert!(matches!(call.as_mut().poll(ready), Poll::Ready(Ok(()))));
    assert!(matches!(inserted.as_mut().poll(ready), Poll::Ready(Some(Ok(_)))));
    assert!(matches!(changed.as_mut().poll(ready), Poll::Ready(Ok(()))));
    soon(db.call(send_message("again".into()))).await.unwrap();
    assert!(panics.take().contains(&"waker -: no sleep".to_owned()));
    soon(db.disconnect()).await;
    assert!(ended.as_mut().poll(ready).is_ready() && closed.as_mut().poll(ready).is_ready());
}

/// A subscriber that panics whatever it is told of clients, and counts.
struct Deaf(Arc<AtomicUsize>);

impl Deaf {
    fn burn(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("no ear");
    }
}

impl Subscriber for Deaf {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        matches!(metadata.target().split("::").next(), Some("lightlike" | "lightlike_core"))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // Every other span, so that some are entered.
        if self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            self.burn();
        }
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {
        self.burn();
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {
        self.burn();
    }

    fn event(&self, _: &tracing::Event<'_>) {
        self.burn();
    }

    fn enter(&self, _: &Id) {
        self.burn();
    }

    fn exit(&self, _: &Id) {
        self.burn();
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.burn();
        id.clone()
    }

    fn try_close(&self, _: Id) -> bool {
        self.burn();
        false
    }
}

#[tokio::test]
async fn subscriber_of_tracing_that_panics_harms_nobody() {
    let target = Target::chat().await;
    let told = Arc::new(AtomicUsize::new(0));
    let _subscriber = tracing::subscriber::set_default(Deaf(Arc::clone(&told)));
    let db = soon(target.builder().connect()).await.unwrap();
    let panics = panics_of(&db);
    let messages = soon(db.subscribe(Message::all()).into_future()).await.unwrap();
    for _ in 0..5 {
        soon(db.call(send_message("hello".into()))).await.unwrap();
    }
    assert_eq!(db.table::<Message>().len(), 5);
    soon(messages.unsubscribe()).await.unwrap();
    soon(db.disconnect()).await;
    assert!(told.load(Ordering::Relaxed) > 0);
    assert!(panics.take().contains(&"tracing -: no ear".to_owned()));
}
