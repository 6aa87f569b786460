//! The events: their names, their fields, and what is not in them.

use lightlike::prelude::*;
use lightlike_tests::conformance::failures::{fail_with_string, no_op};
use lightlike_tests::conformance::keys::*;
use lightlike_tests::conformance::on_both_servers;
use tracing::Level;

use crate::recorder::Recorder;

/// The names are those of `docs/observability.md`.
#[tokio::test]
async fn events_have_stable_names_and_tell_no_secrets() {
    on_both_servers(async |target| {
        let (recorder, _listening) = Recorder::listen(Level::TRACE);
        let db = target.connect().await;
        let set = db.subscribe(PkU32::all()).await.unwrap();
        db.table::<PkU32>().on_insert(|_, _| panic!("on purpose"));
        db.call(PkU32::insert(123_456_789, 0)).await.unwrap();
        db.call(fail_with_string("unheard".into())).forget();
        db.call(no_op()).await.unwrap();
        assert!(db.subscribe("SELECT * FROM nobody").await.is_err());
        set.unsubscribe().await.unwrap();
        let token = db.token().unwrap();
        db.disconnect().await;

        let lines: Vec<_> = recorder
            .events()
            .iter()
            .map(|event| format!("{} {:?}", event.name, event.fields))
            .collect();
        for (name, part) in [
            ("lightlike.state", r#""state": "Ready""#),
            ("lightlike.state", r#""database": ""#),
            ("lightlike.set.applied", r#""set": "0""#),
            ("lightlike.transaction", r#""cause": "call", "#),
            ("lightlike.transaction", r#""rows": "1", "tables": "1""#),
            ("lightlike.call", r#""function": "insert_pk_u_32""#),
            ("lightlike.call", r#""outcome": "committed""#),
            ("lightlike.callback.panicked", r#""callback": "on_insert""#),
            ("lightlike.callback.panicked", r#""table": "pk_u_32""#),
            ("lightlike.call.unhandled", r#""function": "fail_with_string""#),
            ("lightlike.set.ended", "the server refused it: no such table"),
            ("lightlike.set.ended", "the application ended it"),
            ("lightlike.state", r#""state": "Closed""#),
        ] {
            let told = lines.iter().any(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(' ') && rest.contains(part))
            });
            assert!(told, "no {name} with {part}: {lines:#?}");
        }
        for value in recorder.values() {
            assert!(!value.contains(&token), "{value}");
            assert!(!value.contains("123456789"), "an argument or a row: {value}");
        }
    })
    .await;
}
