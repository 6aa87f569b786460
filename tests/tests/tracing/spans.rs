//! The spans: what is inside of what, and what they say.

use lightlike::offline::{CallOutcome, MemoryStore};
use lightlike::prelude::*;
use lightlike_tests::conformance::failures::{fail_with_string, no_op};
use lightlike_tests::conformance::keys::*;
use lightlike_tests::conformance::{Log, next, on_both_servers};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::target::Target;
use tracing::{Instrument as _, Level};

use crate::recorder::{APPLICATION, Recorder, Span};

/// Closes a client in order; its session ends with that.
async fn close(db: Client) {
    db.disconnect().await;
    drop(db);
}

fn only(spans: Vec<Span>) -> Span {
    assert_eq!(spans.len(), 1, "{spans:?}");
    spans.into_iter().next().unwrap()
}

#[tokio::test]
async fn callback_logs_are_inside_transaction_and_session() {
    on_both_servers(async |target| {
        let (recorder, _listening) = Recorder::listen(Level::TRACE);
        let db = target.connect().await;
        let connection_id = db.connection_id().unwrap();
        let _rows = db.subscribe(PkU32::all()).await.unwrap();
        db.table::<PkU32>().on_insert(|_, _| {
            tracing::info!(target: APPLICATION, "inserted");
        });
        db.on_call::<InsertPkU32>(|_, _, _| tracing::info!(target: APPLICATION, "called"));
        db.call(PkU32::insert(1, 0)).await.unwrap();
        close(db).await;

        let inserted = recorder.said("inserted");
        assert_eq!(inserted.spans(), ["lightlike.transaction", "lightlike.session"]);
        let [transaction, session] = &inserted.inside[..] else { panic!("{inserted:?}") };
        assert_eq!(transaction.field("cause"), Some("call"));
        assert_eq!(
            (transaction.field("tables"), transaction.field("rows")),
            (Some("1"), Some("1"))
        );
        assert_eq!(session.field("address"), Some(&*target.uri()));
        assert_eq!(session.field("database"), Some(target.name()));
        assert_eq!(session.field("connection"), Some(&*connection_id.to_hex()));
        let [made_by] = transaction.follows[..] else { panic!("{transaction:?}") };
        assert_eq!(recorder.span_at(made_by).field("function"), Some("insert_pk_u_32"));

        assert_eq!(recorder.said("called").spans(), ["lightlike.call"]);
        let mut states =
            recorder.events().into_iter().filter(|event| event.name == "lightlike.state");
        let closed = states.next_back().unwrap();
        assert_eq!(closed.spans(), ["lightlike.session"], "{closed:?}");
        let session = only(recorder.spans("lightlike.session"));
        assert_eq!(session.field("reason"), Some("closed"));
        assert!(session.is_closed() && !recorder.spans("lightlike.apply").is_empty());
    })
    .await;
}

#[tokio::test]
async fn call_span_nests_in_caller_with_outcome() {
    on_both_servers(async |target| {
        let (recorder, _listening) = Recorder::listen(Level::DEBUG);
        let db = target.connect().await;
        let request = tracing::info_span!(target: APPLICATION, "request");
        let made = async {
            let call = db.call(no_op()).send();
            let id = call.id().unwrap();
            call.await.unwrap();
            db.call(fail_with_string("no".into())).await.unwrap_err();
            db.query(PkU32::all()).await.unwrap();
            db.call(no_op()).forget();
            id
        };
        let id = made.instrument(request).await;
        // It is answered after the one that nobody waits for.
        db.call(no_op()).await.unwrap();
        close(db).await;

        let calls = recorder.spans("lightlike.call");
        let said: Vec<_> = calls
            .iter()
            .map(|call| ["kind", "function", "outcome"].map(|name| call.field(name).unwrap_or("")))
            .collect();
        let expected = [
            ["reducer", "no_op", "committed"],
            ["reducer", "fail_with_string", "rejected"],
            ["query", "", "returned"],
            ["reducer", "no_op", "committed"],
            ["reducer", "no_op", "committed"],
        ];
        assert_eq!(said, expected);
        assert_eq!(calls[0].field("call"), Some(&*id.0.to_string()));
        let [awaited @ .., forgotten, alone] = &calls[..] else { unreachable!() };
        for call in awaited {
            assert_eq!(recorder.span_at(call.parent.unwrap()).name, "request");
        }
        assert_eq!(forgotten.parent, None, "it does not keep open what made it");
        let [made_in] = forgotten.follows[..] else { panic!("{forgotten:?}") };
        assert_eq!(recorder.span_at(made_in).name, "request");
        assert_eq!((alone.parent, alone.follows.len()), (None, 0));
        assert!(calls.iter().all(Span::is_closed) && only(recorder.spans("request")).is_closed());

        // What is told of a call is told inside of it.
        let answers: Vec<_> =
            recorder.events().into_iter().filter(|event| event.name == "lightlike.call").collect();
        assert_eq!(answers.len(), 5);
        assert_eq!(answers[0].spans(), ["lightlike.call", "request"]);
        assert_eq!(answers[3].spans(), ["lightlike.call"]);
    })
    .await;
}

#[tokio::test]
async fn replayed_call_has_its_own_root_span() {
    on_both_servers(async |target| {
        let store = MemoryStore::new();
        let earlier = target.builder().offline(store.clone()).build().unwrap();
        earlier.call(PkU32::insert(1, 0)).accepted().await.unwrap();
        earlier.call(fail_with_string("no".into())).accepted().await.unwrap();
        earlier.disconnect().await;

        let (recorder, _listening) = Recorder::listen(Level::DEBUG);
        let request = tracing::info_span!(target: APPLICATION, "request");
        let db = request.in_scope(|| target.builder().offline(store).build().unwrap());
        db.table::<PkU32>().on_insert(|_, _| tracing::info!(target: APPLICATION, "inserted"));
        db.start().unwrap();
        let _rows = db.subscribe(PkU32::all()).await.unwrap();
        let mut outcomes = db.call_outcomes();
        assert!(next(&mut outcomes).await.end.is_committed());
        let CallOutcome { id: Some(again), .. } = next(&mut outcomes).await else { panic!() };
        assert!(request.in_scope(|| db.retry(again)));
        next(&mut outcomes).await;
        close(db).await;

        let calls = recorder.spans("lightlike.call");
        let said: Vec<_> = calls
            .iter()
            .map(|call| {
                let names = ["function", "restored", "outcome"];
                names.map(|name| call.field(name).unwrap_or(""))
            })
            .collect();
        let expected = [
            ["insert_pk_u_32", "true", "committed"],
            ["fail_with_string", "true", "rejected"],
            ["fail_with_string", "", "rejected"],
        ];
        assert_eq!(said, expected);
        let [first, second, retried] = &calls[..] else { unreachable!() };
        assert!(calls.iter().all(|call| call.is_closed() && call.field("call").is_some()));
        assert!(
            [first, second].iter().all(|call| call.parent.is_none() && call.follows.is_empty())
        );
        let [made_in] = retried.follows[..] else { panic!("{retried:?}") };
        assert_eq!((recorder.span_at(made_in).name, retried.parent), ("request", None));

        let [transaction, _] = &recorder.said("inserted").inside[..] else { panic!() };
        let [made_by] = transaction.follows[..] else { panic!("{transaction:?}") };
        assert_eq!(recorder.span_at(made_by).field("restored"), Some("true"));
    })
    .await;
}

#[tokio::test]
async fn every_attempt_and_every_session_is_a_span() {
    on_both_servers(async |target| {
        let (recorder, _listening) = Recorder::listen(Level::INFO);
        let proxy = Proxy::start(&target.uri()).await;
        let db = Client::builder(proxy.uri(), target.name()).connect().await.unwrap();
        let mut state = db.state();
        proxy.close(true);
        proxy.cut();
        let failed_twice = |state: &ConnectionState| {
            matches!(state, ConnectionState::Reconnecting { attempt: 2.., .. })
        };
        state.wait_for(failed_twice).await.unwrap();
        proxy.close(false);
        state.wait_for(|state| matches!(state, ConnectionState::Ready)).await.unwrap();
        close(db).await;

        let sessions = recorder.spans("lightlike.session");
        let [first, second] = &sessions[..] else { panic!("{sessions:?}") };
        assert!(first.field("reason").unwrap().contains("hung up"), "{first:?}");
        assert_eq!(second.field("reason"), Some("closed"));
        assert_ne!(first.field("connection"), second.field("connection"));

        let dials = recorder.spans("lightlike.dial");
        let attempts: Vec<_> = dials.iter().map(|dial| dial.field("attempt").unwrap()).collect();
        let [first, failed @ .., last] = &dials[..] else { panic!("{dials:?}") };
        assert_eq!(attempts[..3], ["1", "2", "3"]);
        for opened in [first, last] {
            assert_eq!(opened.field("protocol"), Some("v3.bsatn.spacetimedb"));
            assert_eq!((opened.field("error"), opened.is_closed()), (None, true));
        }
        assert!(!failed.is_empty());
        for dial in failed {
            assert!(dial.field("error").is_some() && dial.field("protocol").is_none(), "{dial:?}");
            assert_eq!(dial.field("database"), Some(target.name()));
        }
        assert!(recorder.spans("lightlike.call").is_empty(), "not at this level");
    })
    .await;
}

/// A token and a header that nobody may read.
async fn with_secrets(target: &Target) -> (Client, String) {
    let token = target.connect().await.token().unwrap();
    let builder = target.builder().token(&token).header("x-api-key", "hush-hush");
    (builder.connect().await.unwrap(), token)
}

#[tokio::test]
async fn spans_and_events_hold_no_secrets() {
    on_both_servers(async |target| {
        let (recorder, _listening) = Recorder::listen(Level::TRACE);
        let (db, token) = with_secrets(target).await;
        let _rows = db.subscribe(PkU32::all()).await.unwrap();
        db.call(PkU32::insert(123_456_789, 987_654_321)).await.unwrap();
        db.call(fail_with_string("an-argument".into())).await.unwrap_err();
        close(db).await;
        let refused = target.builder().token("e30.e30.bm90LWEtdG9rZW4").connect().await;
        refused.unwrap_err();

        let values = recorder.values();
        assert!(values.iter().any(|value| value.contains("401")), "{values:?}");
        let secrets =
            [&*token, "bm90LWEtdG9rZW4", "hush-hush", "an-argument", "123456789", "987654321"];
        for value in values {
            assert!(secrets.iter().all(|secret| !value.contains(secret)), "{value}");
        }
    })
    .await;
}

/// A span that nobody wants leaves no trace in a call: nothing is put into the application's span.
#[tokio::test]
async fn higher_level_filter_omits_call_spans() {
    on_both_servers(async |target| {
        let (recorder, _listening) = Recorder::listen(Level::INFO);
        let (db, log) = (target.connect().await, Log::default());
        let _rows = db.subscribe(PkU32::all()).await.unwrap();
        let seen = log.clone();
        db.table::<PkU32>().on_insert(move |_, _| {
            tracing::info!(target: APPLICATION, "inserted");
            seen.push("inserted");
        });
        db.call(PkU32::insert(1, 0)).await.unwrap();
        close(db).await;
        assert_eq!(log.take(), ["inserted"]);
        assert_eq!(recorder.said("inserted").spans(), ["lightlike.session"]);
        assert!(recorder.spans("lightlike.call").is_empty());
    })
    .await;
}
