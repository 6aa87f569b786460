//! A proxy between a client and a server, which cuts, slows and holds what goes through it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
    /// How long each small piece of what the server says takes.
    delay: Duration,
    /// After how many bytes of the server's a new connection is cut.
    cut_after: Option<usize>,
}

/// Bytes that are passed on at once where that takes time: frames come in parts then.
const PIECE_BYTES: usize = 700;

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
        let opened = Arc::clone(&connections);
        accepting.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !seen.borrow().closed {
                    let server = target.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let passing = pass(client, server, seen.clone());
                    let mut open = opened.lock().unwrap_or_else(PoisonError::into_inner);
                    // A set keeps what has ended until somebody asks.
                    while open.try_join_next().is_some() {}
                    open.spawn(passing);
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

    /// Lets what the server says through in small pieces, each of which takes so long; at once where that is zero.
    pub fn slow(&self, delay: Duration) {
        self.rules.send_modify(|rules| rules.delay = delay);
    }

    /// Cuts each connection that is made from now on after so many bytes of the server's, in the midst of a frame or not.
    pub fn cut_after(&self, bytes: Option<usize>) {
        self.rules.send_modify(|rules| rules.cut_after = bytes);
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
    let mut left = rules.as_ref().and_then(|rules| rules.borrow().cut_after);
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
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let Some(delay) = let_through(&mut rules).await else { return };
            let most = if delay.is_zero() { rest.len() } else { rest.len().min(PIECE_BYTES) };
            let (piece, behind) = rest.split_at(most.min(left.unwrap_or(usize::MAX)));
            if to.write_all(piece).await.is_err() {
                return;
            }
            if let Some(left) = &mut left {
                *left -= piece.len();
                if *left == 0 {
                    return;
                }
            }
            rest = behind;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
        }
    }
}

/// Waits until the next piece may go on, and says how long it takes. `None` if the proxy is gone.
async fn let_through(rules: &mut Option<watch::Receiver<Rules>>) -> Option<Duration> {
    let Some(rules) = rules else { return Some(Duration::ZERO) };
    let rules = rules.wait_for(|rules| !rules.holds_replies).await.ok()?;
    Some(rules.delay)
}
