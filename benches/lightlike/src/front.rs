//! Something between the client and the server, in a process of its own, so that its memory and its time are not the
//! client's: it decrypts, or sends a ping behind a large message.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

/// Messages from this size on are followed by a ping.
const LARGE: u64 = 16 << 20;

/// The process, which ends when this is dropped.
pub(crate) struct Front {
    pub(crate) uri: String,
    /// The certificate to trust, as PEM; empty where nothing is encrypted.
    pub(crate) certificate: String,
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Front {
    /// Starts one of the `kind` "tls" or "ping" before the server at `uri`.
    pub(crate) fn start(uri: &str, kind: &str) -> Self {
        let own = std::env::current_exe().expect("the program's own path");
        let mut command = Command::new(own);
        command.args([uri, "-", "front", kind]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let said = BufReader::new(child.stdout.take().expect("its output"));
        let mut front = Self { uri: String::new(), certificate: String::new(), child, said };
        front.uri = front.line();
        if kind == "tls" {
            while !front.certificate.contains("-----END") {
                let line = front.line();
                front.certificate += &(line + "\n");
            }
        }
        front
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line of the front's");
        assert!(!line.is_empty(), "the front has ended");
        line.trim_end().to_owned()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// `URI - front KIND`: says where it is, and runs until its input ends.
pub(crate) fn run(uri: &str, kind: &str) {
    let server = uri.strip_prefix("http://").expect("a plain server").to_owned();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    match kind {
        "tls" => decrypt(&runtime, listener, port, server),
        "ping" => ping(&runtime, listener, port, server),
        other => panic!("`{other}` is none of tls and ping"),
    }
    io::stdin().read_to_end(&mut Vec::new()).expect("an input");
}

fn decrypt(runtime: &Runtime, listener: TcpListener, port: u16, server: String) {
    let names = vec!["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(names).expect("a certificate");
    println!("https://localhost:{port}\n{}", cert.pem().trim_end());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a certificate and its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    runtime.spawn(async move {
        while let Ok((encrypted, _)) = listener.accept().await {
            let mut encrypted = acceptor.accept(encrypted).await.expect("a handshake");
            let mut plain = TcpStream::connect(&server).await.expect("the server");
            tokio::spawn(async move {
                // Either side may end it.
                let _ = tokio::io::copy_bidirectional(&mut encrypted, &mut plain).await;
            });
        }
    });
}

fn ping(runtime: &Runtime, listener: TcpListener, port: u16, server: String) {
    println!("http://localhost:{port}");
    runtime.spawn(async move {
        let (client, _) = listener.accept().await.expect("a client");
        let server = TcpStream::connect(&server).await.expect("the server");
        let (client_reads, client_writes) = client.into_split();
        let (server_reads, server_writes) = server.into_split();
        let pinged = Arc::new(Mutex::new(None));
        tokio::spawn(pongs(client_reads, server_writes, Arc::clone(&pinged)));
        // Ends with an error when the client goes.
        let _ = messages(server_reads, client_writes, &pinged).await;
    });
}

/// Forwards the server's messages, with a ping behind a large one.
async fn messages(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    pinged: &Mutex<Option<Instant>>,
) -> io::Result<()> {
    const FIN: u8 = 0x80;
    const CONTROL: u8 = 0x08;
    head(&mut server, &mut client).await?;
    // The server sends a message in many frames.
    let mut message = 0;
    loop {
        let (first, bytes) = frame_head(&mut server, &mut client).await?;
        tokio::io::copy(&mut (&mut server).take(bytes), &mut client).await?;
        if first & CONTROL != 0 {
            continue;
        }
        message += bytes;
        if first & FIN == 0 {
            continue;
        }
        if message >= LARGE {
            *pinged.lock().expect("no panic") = Some(Instant::now());
            client.write_all(&[0x89, 0]).await?;
        }
        message = 0;
    }
}

/// Forwards the client's messages, and prints the milliseconds until it answers the ping.
async fn pongs(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    pinged: Arc<Mutex<Option<Instant>>>,
) -> io::Result<()> {
    const PONG: u8 = 0xa;
    head(&mut client, &mut server).await?;
    loop {
        let (first, bytes) = frame_head(&mut client, &mut server).await?;
        tokio::io::copy(&mut (&mut client).take(bytes), &mut server).await?;
        if first & 0x0f == PONG
            && let Some(at) = pinged.lock().expect("no panic").take()
        {
            println!("{:.3}", at.elapsed().as_secs_f64() * 1e3);
        }
    }
}

/// Hands on the head of a request or of its answer.
async fn head(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await?);
    }
    to.write_all(&head).await
}

/// Hands on what comes before a frame's payload (RFC 6455, 5.2): the first byte, and the payload's bytes, the mask
/// among them.
async fn frame_head(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<(u8, u64)> {
    let first = [from.read_u8().await?, from.read_u8().await?];
    to.write_all(&first).await?;
    let mask = if first[1] & 0x80 == 0 { 0 } else { 4 };
    let bytes = match first[1] & 0x7f {
        126 => {
            let bytes = from.read_u16().await?;
            to.write_u16(bytes).await?;
            u64::from(bytes)
        }
        127 => {
            let bytes = from.read_u64().await?;
            to.write_u64(bytes).await?;
            bytes
        }
        bytes => u64::from(bytes),
    };
    Ok((first[0], bytes + mask))
}
