//! What a client tells `tracing`. A program of its own: `tracing` keeps for the whole program what somebody listens to.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use lightlike::prelude::*;
use lightlike_tests::conformance::failures::{fail_with_string, no_op};
use lightlike_tests::conformance::keys::*;
use lightlike_tests::conformance::on_both_servers;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

/// Names and fields of the client's events, a line each.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("lightlike")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = event.metadata().name().to_owned();
        event.record(&mut Fields(&mut line));
        self.0.lock().unwrap().push(line);
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = span.metadata().name().to_owned();
        span.record(&mut Fields(&mut line));
        self.0.lock().unwrap().push(line);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The names are those of `docs/observability.md`.
#[tokio::test]
async fn events_have_stable_names_and_tell_no_secrets() {
    on_both_servers(async |target| {
        let lines = Lines::default();
        let _default = tracing::subscriber::set_default(lines.clone());
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

        let lines = lines.0.lock().unwrap().clone();
        for (name, part) in [
            ("lightlike.state", "state=Ready"),
            ("lightlike.set.applied", "set=0"),
            ("lightlike.transaction", "cause=\"call\" tables=1 rows=1"),
            ("lightlike.call", "function=\"insert_pk_u_32\" outcome=\"committed\""),
            ("lightlike.callback.panicked", "callback=\"on_insert\" table=\"pk_u_32\""),
            ("lightlike.call.unhandled", "function=fail_with_string"),
            ("lightlike.set.ended", "Refused"),
            ("lightlike.set.ended", "Unsubscribed"),
            ("lightlike.state", "state=\"Closed\""),
        ] {
            let told = lines.iter().any(|line| {
                let of_this_name =
                    line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
                of_this_name && line.contains(part)
            });
            assert!(told, "no {name} with {part}: {lines:#?}");
        }
        for line in &lines {
            assert!(!line.contains(&token), "{line}");
            assert!(!line.contains("123456789"), "an argument or a row: {line}");
        }
    })
    .await;
}
