//! A success is what the server answers with when it did what was asked: no redirect, no page, no other status.

use std::time::Duration;

use lightlike::http::reqwest::{Method, redirect};
use lightlike::http::{
    EnvironmentChange, Error, ErrorKind, Http, Json, LogOptions, Publish, Request, reqwest,
};
use lightlike::prelude::*;

use crate::scripted::{Scripted, json, reply};

const PAGE: &str = "<!DOCTYPE html><html><title>Log in</title><form></form></html>";

#[reducer]
fn set_name(name: String) -> Result<(), String>;

/// Asks every route once, and says how each went.
async fn every_route(http: &Http) -> Vec<(&'static str, Result<(), Error>)> {
    let identity = Identity::ZERO;
    let module = || vec![0; 8];
    let change = EnvironmentChange::default().set("MODE", "prod").of_module("0");
    vec![
        ("ping", http.ping().await),
        ("lock", http.lock("chat").await),
        ("unlock", http.unlock("chat").await),
        ("delete", http.delete("chat").await),
        ("reset", http.reset("chat", module()).await),
        ("call", http.call("chat", "f", Json("[]")).await.map(drop)),
        ("call_reducer", http.call_reducer("chat", set_name("Ada".into())).await),
        ("verify_identity", http.verify_identity(identity).await.map(drop)),
        ("create_identity", http.create_identity().await.map(drop)),
        ("websocket_token", http.websocket_token().await.map(drop)),
        ("public_key", http.public_key().await.map(drop)),
        ("databases", http.databases(identity).await.map(drop)),
        ("health", http.health().await.map(drop)),
        ("database", http.database("chat").await.map(drop)),
        ("database_identity", http.database_identity("chat").await.map(drop)),
        ("names", http.names("chat").await.map(drop)),
        ("add_name", http.add_name("chat", "lobby").await),
        ("set_names", http.set_names("chat", &["lobby"]).await),
        ("publish", http.publish("chat", module(), Publish::default()).await.map(drop)),
        ("environment", http.environment("chat").await.map(drop)),
        ("change_environment", http.change_environment("chat", change).await),
        ("publish_unnamed", http.publish_unnamed(module()).await.map(drop)),
        ("pre_publish", http.pre_publish("chat", module()).await.map(drop)),
        ("timestamp", http.timestamp("chat").await.map(drop)),
        ("schema", http.schema("chat").await.map(drop)),
        ("sql", http.sql("chat", "SELECT 1").await.map(drop)),
        ("logs", http.logs("chat", LogOptions::default()).await.map(drop)),
        ("send", http.send(Request::new(Method::GET, "/v1/ping")).await.map(drop)),
    ]
}

/// As many replies as there are routes.
const ROUTES: usize = 28;

async fn asked_with(answer: Vec<u8>) -> Vec<(&'static str, Error)> {
    let server = Scripted::new(vec![answer; ROUTES]);
    let outcomes = every_route(&server.http()).await;
    assert_eq!(outcomes.len(), ROUTES);
    let refused = |(route, outcome): (_, Result<(), Error>)| match outcome {
        Ok(()) => panic!("{route} took it for a success"),
        Err(error) => (route, error),
    };
    outcomes.into_iter().map(refused).collect()
}

#[tokio::test]
async fn no_route_follows_a_redirect() {
    let elsewhere = Scripted::new(vec![reply(200, &[("content-type", "text/html")], PAGE)]);
    let location = format!("{}/login", elsewhere.uri());
    for status in [300, 301, 302, 303, 304, 307, 308] {
        for (route, error) in asked_with(reply(status, &[("location", &location)], "")).await {
            assert_eq!(error.kind(), ErrorKind::Redirected, "{route}: {error}");
            assert_eq!(error.status(), Some(status), "{route}");
            assert_eq!(error.location(), Some(&*location), "{route}");
            assert!(!error.is_retryable(), "{route}");
            let text = error.to_string();
            assert!(text.contains(&location) && text.contains("not followed"), "{route}: {text}");
        }
    }
    assert!(!elsewhere.was_asked_more());
}

#[tokio::test]
async fn redirect_without_location_is_an_error() {
    for (route, error) in asked_with(reply(302, &[], PAGE)).await {
        assert_eq!((error.status(), error.location()), (Some(302), None), "{route}: {error}");
    }
}

#[tokio::test]
async fn location_is_shown_without_secrets() {
    let location = "http://ada:pw@host/login?next=/&token=marker";
    let server = Scripted::new(vec![reply(302, &[("location", location)], "")]);
    let error = server.http().ping().await.unwrap_err();
    assert_eq!(error.location(), Some("http://***@host/login?next=/&token=***"));
}

#[tokio::test]
async fn web_pages_are_no_success_of_any_route() {
    for ty in ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml", "text/plain"] {
        for (route, error) in asked_with(reply(200, &[("content-type", ty)], PAGE)).await {
            assert_eq!(error.kind(), ErrorKind::Content, "{route}: {error}");
        }
    }
}

#[tokio::test]
async fn other_statuses_of_success_are_none() {
    for status in [201, 202, 203, 205, 206, 226] {
        let server = Scripted::new(vec![reply(status, &[], ""); ROUTES]);
        for (route, outcome) in every_route(&server.http()).await {
            // Of a route that is not known here any will do.
            assert!(route == "send" || outcome.is_err(), "{route}: {status}");
        }
    }
    // What one route answers with is not what the others do.
    let server = Scripted::new(vec![reply(200, &[], ""), reply(204, &[], "")]);
    let http = server.http();
    assert!(http.verify_identity(Identity::ZERO).await.is_err());
    let error = http.ping().await.unwrap_err();
    assert!(error.to_string().contains("204"), "{error}");
}

#[tokio::test]
async fn unit_routes_take_no_content_but_success() {
    let units = ["ping", "lock", "unlock", "delete", "reset", "call", "call_reducer"];
    for body in ["OK", "please log in", "{", "Success"] {
        let server =
            Scripted::new(vec![reply(200, &[("content-type", "text/plain")], body); ROUTES]);
        for (route, outcome) in every_route(&server.http()).await {
            assert!(!units.contains(&route) || outcome.is_err(), "{route}: {body}");
        }
    }
    for body in ["", "\n", r#""Success""#, r#"{"Success":{"domain":null}}"#] {
        let server = Scripted::new(vec![json(body); ROUTES]);
        for (route, outcome) in every_route(&server.http()).await {
            assert!(!units.contains(&route) || outcome.is_ok(), "{route}: {body}: {outcome:?}");
        }
    }
    let server = Scripted::new(vec![json(r#"{"error":"log in"}"#)]);
    let error = server.http().delete("chat").await.unwrap_err();
    assert!(error.to_string().contains(r#"the server said {"error":"log in"}"#), "{error}");
}

#[tokio::test]
async fn a_refusal_as_a_page_says_its_title() {
    let page = reply(502, &[("content-type", "text/html")], &PAGE.replace("Log in", "Bad gateway"));
    let error = Scripted::new(vec![page]).http().ping().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(502)));
    assert_eq!(error.text(), Some("a web page, `Bad gateway`"));
    assert!(error.to_string().contains("may succeed later"), "{error}");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    for (status, advice) in [(401, "present a token"), (404, "2.x server?"), (503, "later")] {
        let server = Scripted::new(vec![reply(status, &[], "")]);
        let error = server.http().ping().await.unwrap_err();
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[tokio::test]
async fn denial_is_told_from_a_refused_token() {
    for (body, refuses_token, advice) in [
        (r#"{"PermissionDenied":{"domain":"mine"}}"#, false, "only the owner"),
        ("Invalid token", true, "present a token"),
    ] {
        let server = Scripted::new(vec![reply(401, &[], body)]);
        let error = server.http().add_name("chat", "mine").await.unwrap_err();
        assert_eq!((error.kind(), error.refuses_token()), (ErrorKind::Auth, refuses_token));
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[tokio::test]
async fn a_client_that_follows_redirects_is_found_out() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let elsewhere = Scripted::new(vec![reply(200, &[], "")]);
    let location = format!("{}/login", elsewhere.uri());
    let server = Scripted::new(vec![reply(302, &[("location", &location)], "")]);
    let follows = reqwest::Client::builder().redirect(redirect::Policy::default()).build().unwrap();
    let error = server.http().with_client(follows).ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirected, "{error}");
    assert_eq!(error.location(), Some(&*location));
    assert!(error.to_string().contains("Policy::none()"), "{error}");
}

#[tokio::test]
async fn followed_log_bounds_the_wait_for_a_refusal() {
    // The head comes, and of the body never what it promises.
    let head = b"HTTP/1.1 403 \r\ncontent-length: 100\r\n\r\nnot".to_vec();
    let server = Scripted::holding(head);
    let http = server.http().with_timeout(Duration::from_millis(200));
    let error = http.logs("chat", LogOptions::default().follow(true)).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Auth, Some(403)));
}

#[tokio::test]
async fn a_token_that_the_server_quotes_is_hidden() {
    const TOKEN: &str = "marker.marker.marker";
    let shown = |error: Error| {
        let text = format!("{error} {error:?} {:?} {:?}", error.text(), error.location());
        assert!(!text.contains("marker"), "{text}");
    };
    let quotes = [
        reply(401, &[], &format!("bad token {TOKEN}")),
        reply(302, &[("location", &format!("/login?from={TOKEN}"))], ""),
        json(&format!(r#"{{"identity":"{TOKEN}","token":"a.b.c"}}"#)),
        json(&format!(r#"["{TOKEN}"]"#)),
    ];
    for quote in quotes {
        let server = Scripted::new(vec![quote]);
        shown(server.http().with_token(TOKEN).create_identity().await.unwrap_err());
    }
    let server = Scripted::new(vec![json(&format!(r#""{TOKEN}""#))]);
    shown(server.http().with_token(TOKEN).delete("chat").await.unwrap_err());
    // In a path, by its name.
    let server = Scripted::new(vec![reply(400, &[], "")]);
    let request = Request::new(Method::GET, format!("/v1/x?token={TOKEN}"));
    assert!(!format!("{request} {request:?}").contains("marker"));
    shown(server.http().send(request).await.unwrap_err());
}

#[tokio::test]
async fn tokens_that_could_not_be_sent_are_not_taken() {
    for token in [r"a.b.c\r\nX: y", "", "a b", &"x".repeat(20_000)] {
        let identity = Identity::ZERO.to_hex();
        let server = Scripted::new(vec![
            json(&format!(r#"{{"identity":"{identity}","token":"{token}"}}"#)),
            json(&format!(r#"{{"token":"{token}"}}"#)),
        ]);
        let http = server.http();
        assert_eq!(http.create_identity().await.unwrap_err().kind(), ErrorKind::Content, "{token}");
        assert_eq!(http.websocket_token().await.unwrap_err().kind(), ErrorKind::Content, "{token}");
    }
}
