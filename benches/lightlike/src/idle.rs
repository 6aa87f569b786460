//! Many connections that have nothing to do, in one process.

use bench_harness::{emit, heap, resident, trim};
use lightlike::Client;
use tokio::runtime::Builder;

/// `URI DATABASE idle CONNECTIONS [manual]`
pub(crate) fn run(uri: &str, database: &str, connections: u64, manual: bool) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let connect = || match manual {
        true => connect_manually(uri, database),
        false => runtime.block_on(Client::builder(uri, database).connect()).expect("a connection"),
    };
    let first = connect();
    trim();
    let (heap_before, resident_before, threads_before) = (heap(), resident("VmRSS"), threads());
    let clients: Vec<Client> = (0..connections).map(|_| connect()).collect();
    assert!(clients.iter().all(|client| client.identity().is_some()));
    let case = if manual { "idle.manual" } else { "idle.task" };
    let report = |metric: &str, value: f64, unit: &str| {
        emit("lightlike", &format!("{case}.{metric}"), connections, value, unit);
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
        let _ = db.tick(lightlike::Budget::unlimited()).expect("a connection");
        std::thread::yield_now();
    }
    db
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("the process's threads").count()
}
