//! Texts of the errors of token files, of signing in and of untyped access, variant by variant.

use std::fmt;
use std::io;

use lightlike_core::bsatn::from_slice;
use lightlike_core::secret::check_token;

use crate::auth::TokenFileError;
use crate::untyped::UntypedError;

/// Stands for what a peer, the system or the application said.
const WORDS: &str = "these very words";

/// Checks each error's text, and that no variant is left out.
fn check<E: fmt::Display>(all: Vec<E>, variants: usize, expected: fn(&E) -> (usize, &'static str)) {
    let mut seen = std::collections::BTreeSet::new();
    for error in all {
        let ((number, says), text) = (expected(&error), error.to_string());
        assert!(text.contains(says) && !text.contains('\n'), "`{text}` does not say `{says}`");
        seen.insert(number);
    }
    assert!(seen.into_iter().eq(0..variants), "each variant is tried");
}

fn system() -> io::Error {
    io::Error::other(WORDS)
}

#[test]
fn token_file_errors_name_file_and_remedy() {
    // Not to be answered with a wildcard: a new variant belongs here.
    fn expected(error: &TokenFileError) -> (usize, &'static str) {
        match error {
            TokenFileError::NoHome => (0, "name a file with `FileTokens::at`"),
            TokenFileError::Unreadable { .. } => (1, "/a/file: these very words; saving a token"),
            TokenFileError::Unwritable { .. } => (2, "/a/file: these very words; may its folder"),
            TokenFileError::NotAFile { .. } => (3, "/a/file is no file; remove it"),
            TokenFileError::Foreign { .. } => (4, "/a/file belongs to another user (uid 7)"),
            TokenFileError::TooLarge { .. } => (5, "which no token is; remove it"),
            TokenFileError::NotText { .. } => (6, "/a/file is not text; remove it"),
            TokenFileError::Invalid { .. } => (7, "/a/file has no token in it: "),
        }
    }
    let path = || "/a/file".into();
    let invalid = check_token("two\nlines").unwrap_err();
    let all = vec![
        TokenFileError::NoHome,
        TokenFileError::Unreadable { path: path(), source: system() },
        TokenFileError::Unwritable { path: path(), source: system() },
        TokenFileError::NotAFile { path: path() },
        TokenFileError::Foreign { path: path(), owner: 7 },
        TokenFileError::TooLarge { path: path() },
        TokenFileError::NotText { path: path() },
        TokenFileError::Invalid { path: path(), source: invalid },
    ];
    check(all, 8, expected);
}

#[cfg(feature = "auth")]
#[test]
fn sign_in_errors_say_what_provider_said() {
    use lightlike_core::conn::EndpointError;

    use crate::auth::SignInError;

    fn expected(error: &SignInError) -> (usize, &'static str) {
        match error {
            SignInError::Uri(_) => (0, "`nonsense`"),
            SignInError::NoRandomness => (1, "no randomness"),
            SignInError::Nothing { .. } => (2, "has no code; is it the whole of it?"),
            SignInError::State => (3, "`state`"),
            SignInError::Refused { .. } => (4, "refused: invalid_grant: these very words"),
            SignInError::Token(_) => (5, "token"),
            SignInError::Status { .. } => (6, "HTTP status 302, a redirect to http://login, which"),
            SignInError::Reply(_) => (7, "these very words"),
            SignInError::Network(_) => (8, "cannot ask the provider: these very words"),
        }
    }
    let (error, description) = ("invalid_grant".into(), WORDS.into());
    let all = vec![
        SignInError::Uri(EndpointError::InvalidUri { uri: "nonsense".into() }),
        SignInError::NoRandomness,
        SignInError::Nothing { wanted: "code" },
        SignInError::State,
        SignInError::Refused { error, description },
        SignInError::Token(check_token("two\nlines").unwrap_err()),
        SignInError::Status { status: 302, location: Some("http://login".into()) },
        SignInError::Reply(WORDS.into()),
        SignInError::Network(system().into()),
    ];
    check(all, 9, expected);
}

#[test]
fn untyped_errors_name_schema_item() {
    fn expected(error: &UntypedError) -> (usize, &'static str) {
        match error {
            UntypedError::UnknownTable { .. } => (0, "`usr`; did you mean `user`?"),
            UntypedError::UnknownColumn { .. } => (1, "`user` has no column `nme`"),
            UntypedError::UnknownFunction { .. } => (2, "reducer or procedure `f`"),
            UntypedError::NotCallable { .. } => (3, "`f` is not for clients to call"),
            UntypedError::UnknownArgument { .. } => (4, "no parameter `x`; it is `f(y: u8)`"),
            UntypedError::MissingArgument { .. } => (5, "`y` of `f` is missing; it is `f(y: u8)`"),
            UntypedError::ArgumentCount { .. } => (6, "`f(y: u8)` takes 1 argument and not 2"),
            UntypedError::ArgumentType { .. } => (7, "`y` of `f` is not a `u8`"),
            UntypedError::Row { .. } => (8, "row of `user` does not fit the schema"),
            UntypedError::Returned(_) => (9, "does not fit the schema: cannot decode `bool`"),
            #[cfg(feature = "json")]
            UntypedError::Arguments { .. } => (10, "do not fit `f(y: u8)`: "),
            #[cfg(feature = "json")]
            UntypedError::Json(_) => (11, "there is no JSON for it: "),
        }
    }
    let undecodable = || from_slice::<bool>(&[7]).unwrap_err();
    let (f, y, signature) = (|| "f".into(), || "y".into(), || "f(y: u8)".into());
    let all = vec![
        UntypedError::UnknownTable { table: "usr".into(), nearest: Some("user".into()) },
        UntypedError::UnknownColumn { table: "user".into(), column: "nme".into() },
        UntypedError::UnknownFunction { function: f(), nearest: None },
        UntypedError::NotCallable { function: f() },
        UntypedError::UnknownArgument {
            function: f(),
            argument: "x".into(),
            signature: signature(),
        },
        UntypedError::MissingArgument { function: f(), argument: y(), signature: signature() },
        UntypedError::ArgumentCount {
            function: f(),
            expected: 1,
            found: 2,
            signature: signature(),
        },
        UntypedError::ArgumentType { function: f(), argument: y(), ty: "u8".into() },
        UntypedError::Row { table: "user".into(), source: undecodable() },
        UntypedError::Returned(undecodable()),
        #[cfg(feature = "json")]
        UntypedError::Arguments { signature: signature(), source: no_json() },
        #[cfg(feature = "json")]
        UntypedError::Json(no_json()),
    ];
    let variants = if cfg!(feature = "json") { 12 } else { 10 };
    check(all, variants, expected);
}

#[cfg(feature = "json")]
fn no_json() -> lightlike_core::json::JsonError {
    lightlike_core::json::from_str::<bool>("nonsense").unwrap_err()
}
