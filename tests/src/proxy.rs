//! A proxy between a client and a server, which cuts and holds what goes through it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Passes bytes on, until it is told otherwise. It ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    server: Arc<Mutex<String>>,
    rules: watch::Sender<Rules>,
    connections: Arc<Mutex<JoinSet<()>>>,
    _accepting: JoinSet<()>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Rules {
    /// New connections are dropped.
    closed: bool,
    /// `true` while the server's messages are held back.
    holds_replies: bool,
    /// Number of times that the servers' halves were closed.
    half_closes: u64,
}

impl Proxy {
    /// A proxy in front of the server at `uri`.
    ///
    /// # Panics
    ///
    /// If there is no port to listen on.
    pub async fn start(uri: &str) -> Self {
        let server = Arc::new(Mutex::new(address_of(uri)));
        let target = Arc::clone(&server);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (rules, seen) = watch::channel(Rules::default());
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let mut accepting = JoinSet::new();
        let open = Arc::clone(&connections);
        accepting.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !seen.borrow().closed {
                    let server = target.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let passing = pass(client, server, seen.clone());
                    open.lock().unwrap_or_else(PoisonError::into_inner).spawn(passing);
                }
            }
        });
        Self { address, server, rules, connections, _accepting: accepting }
    }

    /// The address to give to the client.
    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that are made from now on go to the server at `uri`.
    pub fn point_to(&self, uri: &str) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = address_of(uri);
    }

    /// Ends every connection, without a word to either side.
    pub fn cut(&self) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Lets no new connection through, or lets them through again.
    pub fn close(&self, closed: bool) {
        self.rules.send_modify(|rules| rules.closed = closed);
    }

    /// Closes the server's half of every connection in order; the client's half goes on.
    pub fn half_close(&self) {
        self.rules.send_modify(|rules| rules.half_closes += 1);
    }

    /// Holds back what the server says, or lets it through again.
    pub fn hold_replies(&self, holds: bool) {
        self.rules.send_modify(|rules| rules.holds_replies = holds);
    }
}

fn address_of(uri: &str) -> String {
    uri.trim_start_matches("http://").trim_end_matches('/').to_owned()
}

async fn pass(client: TcpStream, server: String, rules: watch::Receiver<Rules>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        () = copy(from_client, to_server, None) => (),
        () = copy(from_server, to_client, Some(rules)) => (),
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    rules: Option<watch::Receiver<Rules>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut rules = rules;
    let half_closed = rules.clone().map(|rules| {
        let before = rules.borrow().half_closes;
        (rules, before)
    });
    let half_closed = async move {
        let Some((mut rules, before)) = half_closed else { return std::future::pending().await };
        if rules.wait_for(|rules| rules.half_closes > before).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::pin!(half_closed);
    loop {
        let read = tokio::select! {
            () = &mut half_closed => {
                let _ = to.shutdown().await;
                return std::future::pending().await;
            }
            read = from.read(&mut buffer) => read,
        };
        let Ok(read @ 1..) = read else { return };
        if let Some(rules) = &mut rules
            && rules.wait_for(|rules| !rules.holds_replies).await.is_err()
        {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
