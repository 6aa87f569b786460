//! Texts of the errors of requests, variant by variant.

use std::collections::BTreeSet;

use lightlike_core::json;
use lightlike_core::secret::check_token;

use super::*;

const WORDS: &str = "these very words";

/// Number of each variant, and what it says beside the request. Not to be answered with a wildcard: a new variant belongs here.
fn expected(repr: &Repr) -> (usize, &'static str) {
    match repr {
        Repr::Endpoint(_) => (0, "`nonsense`"),
        Repr::Token(_) => (1, "token"),
        Repr::Input(_) => (2, WORDS),
        Repr::Arguments(_) => (3, "the arguments have no JSON: "),
        Repr::Client(_) => (4, "no HTTP client can be made: these very words"),
        Repr::Connect(_) => (5, "the server cannot be reached: builder error"),
        Repr::Timeout => (6, "no reply in time"),
        Repr::Interrupted(_) => (7, "the exchange broke off: builder error"),
        Repr::Rejected(_) => (8, "the reducer refused: these very words"),
        Repr::Status { .. } => {
            (9, "503 Service Unavailable: these very words; the same request may succeed later")
        }
        Repr::Redirect { .. } => {
            (10, "302 Found: a redirect to http://login, which is not followed")
        }
        Repr::Followed { .. } => (11, "followed a redirect to http://login"),
        Repr::TooLarge { .. } => (12, "more than 7 bytes, which is the limit"),
        Repr::Content { .. } => (13, "a web page: these very words"),
    }
}

fn all() -> Vec<Repr> {
    let no_url = || reqwest::Proxy::all("").unwrap_err();
    let location = || Box::from("http://login");
    vec![
        Repr::Endpoint(EndpointError::InvalidUri { uri: "nonsense".into() }),
        Repr::Token(check_token("two\nlines").unwrap_err()),
        Repr::Input(WORDS.into()),
        Repr::Arguments(json::from_str::<bool>("nonsense").unwrap_err()),
        Repr::Client(WORDS.into()),
        Repr::Connect(no_url()),
        Repr::Timeout,
        Repr::Interrupted(no_url()),
        Repr::Rejected(WORDS.into()),
        Repr::Status { status: 503, text: WORDS.into() },
        Repr::Redirect { status: StatusCode::FOUND, location: Some(location()) },
        Repr::Followed { location: location() },
        Repr::TooLarge { limit: 7 },
        Repr::Content { what: "a web page".into(), error: Some(WORDS.into()) },
    ]
}

#[test]
fn http_errors_name_request_and_cause() {
    let mut seen = BTreeSet::new();
    for repr in all() {
        let (number, says) = expected(&repr);
        let text = Error::new("GET /v1/database/chat", repr).to_string();
        assert!(text.contains(says) && !text.contains('\n'), "`{text}` does not say `{says}`");
        assert!(text.starts_with("GET /v1/database/chat"), "{text}");
        seen.insert(number);
    }
    assert!(seen.into_iter().eq(0..14), "each variant is tried");
}
