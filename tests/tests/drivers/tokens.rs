//! Tokens: kept, forgotten, renewed, and presented in an address.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use lightlike::ErrorKind;
use lightlike::auth::TokenStore as _;
use lightlike::auth::{Claims, Provider, Refresh, RefreshReason, SignInError};
use lightlike::http::Http;
use lightlike::prelude::*;
use lightlike::types::TimeDuration;
use lightlike_tests::chat::{Message, send_message};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::target::Target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{chat, tick_until, wait};

/// Reasons for which a provider was asked.
type Asked = Arc<Mutex<Vec<RefreshReason>>>;

/// A provider with one token to give.
fn giving(token: &str) -> (Refresh, Asked) {
    let (asked, token) = (Asked::default(), token.to_owned());
    let log = Arc::clone(&asked);
    let refresh = Refresh::new(move |wanted| {
        log.lock().unwrap().push(wanted.reason);
        let token = token.clone();
        async move { Ok::<_, io::Error>(token) }
    });
    (refresh, asked)
}

/// A provider that has none.
fn empty_handed() -> Refresh {
    Refresh::new(|_| async { Err::<String, _>(io::Error::other("the provider is on holiday")) })
}

fn reasons(asked: &Asked) -> Vec<RefreshReason> {
    asked.lock().unwrap().clone()
}

/// Somebody's own token, and one of a minute.
async fn two_tokens(target: &Target) -> (Identity, String, String) {
    let http = Http::new(&target.uri()).unwrap();
    let account = http.create_identity().await.unwrap();
    let short = http.with_token(&account.token).websocket_token().await.unwrap();
    (account.identity, account.token, short)
}

#[tokio::test]
async fn first_token_comes_from_provider() {
    let target = Target::chat().await;
    let (identity, token, _) = two_tokens(&target).await;
    let (refresh, asked) = giving(&token);
    let db = target.builder().refresh_token(refresh).connect().await.unwrap();
    assert_eq!((db.identity(), db.token()), (Some(identity), Some(token)));
    assert_eq!(reasons(&asked), [RefreshReason::Missing]);

    let alone = target.builder().refresh_token(empty_handed());
    let error = alone.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "it is not anonymous instead");
    assert!(format!("{error:?}").contains("the provider is on holiday"), "{error:?}");
}

#[tokio::test]
async fn expiring_token_is_renewed_before_presenting() {
    let target = Target::chat().await;
    let (identity, token, short) = two_tokens(&target).await;
    let (refresh, asked) = giving(&token);
    let store = Arc::new(MemoryTokens::new());
    let refresh = refresh.leeway(Duration::from_secs(120));
    let builder = target.builder().token(&short).token_store(Arc::clone(&store));
    let db = builder.refresh_token(refresh).connect().await.unwrap();
    assert_eq!((db.identity(), db.token()), (Some(identity), Some(token.clone())));
    assert_eq!(reasons(&asked), [RefreshReason::Expiring]);
    assert_eq!(store.load().unwrap(), Some(token));
    // One that cannot be renewed may still do.
    let refresh = empty_handed().leeway(Duration::from_secs(120));
    let db = target.builder().token(short).refresh_token(refresh).connect().await.unwrap();
    assert_eq!(db.identity(), Some(identity));
}

#[tokio::test]
async fn token_expiring_in_use_is_renewed() {
    let target = Target::chat().await;
    let (identity, token, short) = two_tokens(&target).await;
    let (refresh, asked) = giving(&token);
    let store = Arc::new(MemoryTokens::new());
    // It is due when the connection has been there for a moment.
    let ends = Claims::read(&short).unwrap().expires_at.unwrap().to_system_time().unwrap();
    let left = ends.duration_since(SystemTime::now()).unwrap();
    let refresh = refresh.leeway(left - Duration::from_millis(400));
    let builder = target.builder().token(&short).token_store(Arc::clone(&store));
    let db = builder.refresh_token(refresh).connect().await.unwrap();
    while store.load().unwrap() != Some(token.clone()) {
        tokio::task::yield_now().await;
    }
    assert_eq!((db.identity(), reasons(&asked)), (Some(identity), vec![RefreshReason::Expiring]));
    assert_eq!(db.token(), Some(token));
    db.call(send_message("still here".into())).await.unwrap();
}

/// A minute of the server's passes, and the connection is lost.
#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let target = Target::chat().await;
    let Target::Embedded(server) = &target else { return };
    let (identity, token, short) = two_tokens(&target).await;
    let (refresh, asked) = giving(&token);
    let refresh = refresh.leeway(Duration::ZERO);
    let db = target.builder().token(&short).refresh_token(refresh).connect().await.unwrap();
    assert!(reasons(&asked).is_empty());
    let later = server.time().checked_add(TimeDuration::from_micros(61_000_000)).unwrap();
    server.set_time(later);
    let _messages = db.subscribe(Message::all()).await.unwrap();
    server.disconnect_all();
    lost_and_back(&db).await;
    assert_eq!((db.identity(), db.token()), (Some(identity), Some(token)));
    assert_eq!(reasons(&asked), [RefreshReason::Refused]);
}

async fn lost_and_back(db: &Client) {
    let mut state = db.state();
    let lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
    state.wait_for(lost).await.unwrap();
    db.reconnect_now();
    state.wait_for(|state| matches!(state, ConnectionState::Ready)).await.unwrap();
}

#[tokio::test]
async fn unhelpful_provider_is_asked_once() {
    let target = Target::chat().await;
    let (identity, token, _) = two_tokens(&target).await;
    let (refresh, asked) = giving("no.better.token");
    let db = target.builder().token("no.such.token").refresh_token(refresh).build().unwrap();
    db.start().unwrap();
    let mut state = db.state();
    let parked = |state: &ConnectionState| matches!(state, ConnectionState::NeedsAuth(_));
    state.wait_for(parked).await.unwrap();
    assert_eq!(reasons(&asked), [RefreshReason::Refused]);
    db.set_token(token).unwrap();
    state.wait_for(|state| matches!(state, ConnectionState::Ready)).await.unwrap();
    assert_eq!(db.identity(), Some(identity));
}

#[tokio::test]
async fn invalid_token_is_not_presented() {
    let target = Target::chat().await;
    let (refresh, _) = giving("two lines\nof text");
    let error = target.builder().refresh_token(refresh).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(format!("{error:?}").contains("no token has"), "{error:?}");
}

#[tokio::test]
async fn short_token_is_sent_and_original_kept() {
    let target = Target::chat().await;
    let (identity, token, _) = two_tokens(&target).await;
    let proxy = Proxy::start(&target.uri()).await;
    let builder = Client::builder(proxy.uri(), target.name()).token_in_query(true);
    let db = builder.token(&token).connect().await.unwrap();
    assert_eq!((db.identity(), db.token()), (Some(identity), Some(token.clone())));
    if let Target::Embedded(server) = &target {
        let later = server.time().checked_add(TimeDuration::from_micros(61_000_000)).unwrap();
        server.set_time(later);
    }
    proxy.cut();
    lost_and_back(&db).await;
    assert_eq!((db.identity(), db.token()), (Some(identity), Some(token)));
    // Who has none gets one from the server as ever, and keeps that.
    let builder = target.builder().token_in_query(true);
    let somebody = builder.connect().await.unwrap();
    assert!(somebody.token().is_some());
    let builder = target.builder().token_in_query(true).token("no.such.token");
    assert_eq!(builder.connect().await.unwrap_err().kind(), ErrorKind::Auth);
}

#[tokio::test]
async fn logging_out_forgets_the_token_and_closes() {
    let target = Target::chat().await;
    let folder = tempfile::tempdir().unwrap();
    let store = FileTokens::at(folder.path().join("token"));
    let db = target.builder().token_store(store.clone()).connect().await.unwrap();
    assert_eq!(store.load().unwrap(), db.token());
    db.logout().await.unwrap();
    assert!(matches!(db.state().get(), ConnectionState::Closed(_)));
    assert_eq!(store.load().unwrap(), None);
    let next = target.builder().token_store(store).connect().await.unwrap();
    assert_ne!(next.identity(), db.identity());
}

#[test]
fn store_is_updated_under_every_driver() {
    let target = chat();
    let store = Arc::new(MemoryTokens::new());
    let with_store = || target.builder().token_store(Arc::clone(&store));
    let ticked = with_store().build_manual().unwrap();
    let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
    tick_until(&ticked, ticked.state().wait_for(ready)).unwrap();
    let token = store.load().unwrap();
    assert!(token.is_some() && token == ticked.token());
    let threaded = with_store().connect_blocking().unwrap();
    assert_eq!(threaded.identity(), ticked.identity());
    wait(threaded.logout()).unwrap();
    assert_eq!(store.load().unwrap(), None);
}

/// Answers one request with a body, and returns what was sent.
async fn answer(listener: TcpListener, reply: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = String::new();
    while !request.contains("code_verifier") && !request.contains("refresh_token=") {
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes).await.unwrap();
        request.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", reply.len());
    stream.write_all(format!("{head}{reply}").as_bytes()).await.unwrap();
    request
}

#[tokio::test]
async fn a_code_is_exchanged_for_tokens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let provider =
        Provider::new(&format!("{base}/auth"), &format!("{base}/token"), "client").unwrap();
    let sign_in = provider.sign_in("http://127.0.0.1:8400/callback").unwrap();
    let state = sign_in.url().split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let code = sign_in.callback(&format!("?code=abc&state={state}")).unwrap();
    let reply = r#"{"id_token":"a.b.c","refresh_token":"again","expires_in":60}"#;
    let (tokens, request) = tokio::join!(code.exchange(), answer(listener, reply));
    let tokens = tokens.unwrap();
    assert_eq!((tokens.token(), tokens.refresh_token.as_deref()), (Some("a.b.c"), Some("again")));
    assert!(request.starts_with("POST /token HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/x-www-form-urlencoded"), "{request}");
    assert!(request.contains("code=abc&code_verifier="), "{request}");
    // Nobody listens any more.
    let error = provider.refresh("again").await.unwrap_err();
    assert!(matches!(error, SignInError::Network(_)), "{error:?}");
}

/// What a reset of a local server, or another server at the same address, looks like to a program that ran before.
#[tokio::test]
async fn refused_kept_token_names_its_place() {
    let target = Target::chat().await;
    let folder = tempfile::tempdir().unwrap();
    let tokens = FileTokens::at(folder.path().join("token"));
    tokens.save("token.of.another").unwrap();
    let error = target.builder().token_store(tokens.clone()).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::Auth, Some(401)));
    let text = error.to_string();
    assert!(text.contains(&tokens.path().display().to_string()), "{text}");
    assert!(text.contains("remove it to be a new identity"), "{text}");
    // It is not the store's that was refused.
    let given = target.builder().token("token.of.another").token_store(tokens.clone());
    let text = given.connect().await.unwrap_err().to_string();
    assert!(!text.contains(&tokens.path().display().to_string()), "{text}");
    tokens.clear().unwrap();
    target.builder().token_store(tokens).connect().await.unwrap();
}

#[tokio::test]
async fn given_token_mends_a_damaged_store() {
    let target = Target::chat().await;
    let (identity, token, _) = two_tokens(&target).await;
    let folder = tempfile::tempdir().unwrap();
    let tokens = FileTokens::at(folder.path().join("token"));
    for contents in [&b"\xff\xfe"[..], b"a.b.c\r\nX-Evil: 1"] {
        std::fs::write(tokens.path(), contents).unwrap();
        let error = target.builder().token_store(tokens.clone()).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenStore);
        assert!(format!("{error:?}").contains(&tokens.path().display().to_string()), "{error:?}");
        let db = target.builder().token(&token).token_store(tokens.clone());
        assert_eq!(db.connect().await.unwrap().identity(), Some(identity));
        assert_eq!(tokens.load().unwrap().as_deref(), Some(&*token));
    }
}

#[test]
fn a_store_of_ones_own_gives_only_tokens() {
    struct Careless;
    impl lightlike::auth::TokenStore for Careless {
        fn load(&self) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
            Ok(Some("a.b.c\r\nX-Evil: 1".to_owned()))
        }
        fn save(&self, _: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            Ok(())
        }
        fn clear(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            Ok(())
        }
        fn location(&self) -> Option<String> {
            Some("the keyring".to_owned())
        }
    }
    let error = Client::builder("http://host", "chat").token_store(Careless).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenStore);
    let shown = format!("{error:?}");
    assert!(shown.contains("the keyring") && !shown.contains("Evil"), "{shown}");
}
