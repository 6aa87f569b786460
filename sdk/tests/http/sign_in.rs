//! The token endpoint of a provider of identities: what it may answer, and where secrets go.

use lightlike::auth::{Provider, SignInError, Tokens};

use crate::scripted::{Scripted, json, reply};

async fn refresh(server: &Scripted) -> Result<Tokens, SignInError> {
    let uri = format!("{}/token", server.uri());
    let provider = Provider::new("http://127.0.0.1:1/auth", &uri, "client").unwrap();
    provider.refresh("marker-refresh-token").await
}

async fn refused(answer: Vec<u8>) -> SignInError {
    let error = refresh(&Scripted::new(vec![answer])).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("marker"), "{shown}");
    error
}

#[tokio::test]
async fn refresh_token_is_not_carried_to_another_host() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Scripted::new(vec![json(r#"{"id_token":"a.b.c"}"#)]);
        let location = format!("{}/token", elsewhere.uri());
        let error = refused(reply(status, &[("location", &location)], "")).await;
        let SignInError::Status { status: got, location: Some(to) } = &error else {
            panic!("{error:?}")
        };
        assert_eq!((*got, &**to), (status, &*location));
        assert!(error.to_string().contains("not followed"), "{error}");
        assert!(!elsewhere.was_asked_more());
    }
}

#[tokio::test]
async fn what_is_no_reply_of_a_provider_is_refused() {
    let tokens = r#"{"id_token":"a.b.c"}"#;
    for status in [201, 204, 500, 503] {
        let error = refused(reply(status, &[], tokens)).await;
        assert!(matches!(error, SignInError::Status { .. }), "{status}: {error:?}");
    }
    let page = reply(200, &[("content-type", "text/html")], "<html>Log in</html>");
    assert!(matches!(refused(page).await, SignInError::Reply(_)));
    for token in [r"a\r\nX: y", "", "a b"] {
        let error = refused(json(&format!(r#"{{"id_token":"{token}"}}"#))).await;
        assert!(matches!(error, SignInError::Reply(_)), "{error:?}");
    }
    let quoted = r#"{"error":"invalid_grant","error_description":"no marker-refresh-token"}"#;
    let error = refused(reply(400, &[], quoted)).await;
    assert_eq!(error.to_string(), "the provider refused: invalid_grant: no ***");
    let endless = [b"HTTP/1.1 200 \r\n\r\n".to_vec(), vec![b' '; 2 << 20]].concat();
    assert!(matches!(refused(endless).await, SignInError::Network(_)));
}

#[tokio::test]
async fn tokens_are_taken_from_a_good_reply() {
    let server = Scripted::new(vec![json(r#"{"id_token":"a.b.c"}"#)]);
    assert_eq!(refresh(&server).await.unwrap().token(), Some("a.b.c"));
    let asked = server.asked();
    assert_eq!((&*asked.method, &*asked.path), ("POST", "/token"));
}
