//! Many connections that have nothing to do, in one process.

use bench_harness::{emit, heap, resident, trim};
use lightlike::Client;
use lightlike::tls::Tls;
use tokio::runtime::Builder;

use crate::front::Front;

/// `URI DATABASE idle CONNECTIONS [manual|tls]`: as tasks of one runtime, driven by ticks, or as tasks and encrypted, by
/// way of a process that decrypts.
pub(crate) fn run(uri: &str, database: &str, connections: u64, way: &str) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let front = (way == "tls").then(|| {
        let front = Front::start(uri, "tls");
        // One for all clients, as an application has it.
        let tls = Tls::new().root_certificates(&front.certificate).expect("a certificate");
        (front, tls)
    });
    let connect = || match (&front, way) {
        (Some((front, tls)), _) => {
            let builder = Client::builder(&front.uri, database).tls(tls.clone());
            runtime.block_on(builder.connect()).expect("a connection")
        }
        (None, "manual") => connect_manually(uri, database),
        _ => runtime.block_on(Client::builder(uri, database).connect()).expect("a connection"),
    };
    let first = connect();
    trim();
    let (heap_before, resident_before, threads_before) = (heap(), resident("VmRSS"), threads());
    let clients: Vec<Client> = (0..connections).map(|_| connect()).collect();
    assert!(clients.iter().all(|client| client.identity().is_some()));
    let way = if way.is_empty() { "task" } else { way };
    let report = |metric: &str, value: f64, unit: &str| {
        emit("lightlike", &format!("idle.{way}.{metric}"), connections, value, unit);
    };
    let each = |bytes: f64| bytes / connections as f64 / 1024.0;
    report("heap", each(heap() - heap_before), "KiB");
    report("resident", each(resident("VmRSS") - resident_before), "KiB");
    report("threads", (threads() - threads_before) as f64, "threads");
    drop((first, clients));
}

fn connect_manually(uri: &str, database: &str) -> Client {
    let db = Client::builder(uri, database).build_manual().expect("a client");
    while db.identity().is_none() {
        let _ = db.tick(lightlike::connection::Budget::unlimited()).expect("a connection");
        std::thread::yield_now();
    }
    db
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("the process's threads").count()
}
