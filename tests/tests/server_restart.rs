//! A real server that is killed and started again with its data, beneath a client that stays.
//!
//! Where a real server is tested against (`SPACETIMEDB_URI`), this starts `tests/engine` once more, for itself.

use std::path::Path;
use std::process::Command;

use lightlike::connection::Reconnect;
use lightlike::prelude::*;
use lightlike_tests::chat::{Message, send_message};
use lightlike_tests::real::{Module, Real};

/// An engine with its data in a folder. It ends when this is dropped.
struct Engine {
    pid: String,
    uri: String,
}

impl Engine {
    fn start(port: &str, data: &Path) -> Self {
        let start = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/start");
        let output = Command::new(start).arg(port).arg(data).output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words = said.split_whitespace().map(str::to_owned);
        let (Some(pid), Some(uri)) = (words.next(), words.next()) else {
            panic!("the engine did not start: {}", String::from_utf8_lossy(&output.stderr))
        };
        Self { pid, uri }
    }

    fn port(&self) -> &str {
        self.uri.rsplit(':').next().expect("an address has a port")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // By its process id, and without giving it time for anything.
        let _ = Command::new("kill").arg("-KILL").arg(&self.pid).status();
    }
}

#[tokio::test]
async fn client_continues_after_server_kill_and_restart() {
    if Real::from_env().is_none() {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let engine = Engine::start("0", data.path());
    let database = Real::at(&engine.uri).publish(Module::Chat).await.expect("the chat module");
    let mut quick = Reconnect::default();
    quick.pause_max = std::time::Duration::from_millis(100);
    let builder = Client::builder(database.uri(), database.name()).reconnect(quick);
    let db = builder.connect().await.expect("a connection");
    let messages = db.subscribe(Message::all()).await.expect("a set");
    db.call(send_message("before".into())).await.expect("a commit");
    let (identity, port) = (db.identity(), engine.port().to_owned());

    drop(engine);
    let lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
    db.state().wait_for(lost).await.expect("a state");
    assert_eq!(db.table::<Message>().len(), 1);
    assert!(db.read().is_stale());
    let mut transactions = db.transactions();

    let _engine = Engine::start(&port, data.path());
    let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
    db.state().wait_for(ready).await.expect("a state");
    assert!(messages.is_applied());
    assert_eq!(db.identity(), identity);
    db.call(send_message("after".into())).await.expect("a commit");
    assert_eq!(db.table::<Message>().len(), 2);
    // The first message is the same: only the second is told.
    let changes = transactions.next().await.expect("a transaction").expect("all of them");
    assert_eq!(changes.of::<Message>().count(), 1);
    assert!(matches!(changes.cause(), Cause::Call { .. }));
}
