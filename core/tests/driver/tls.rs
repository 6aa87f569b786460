//! Encrypted sockets: whom they trust.

use std::sync::Arc;

use lightlike_core::conn::{Dial, DialError, Endpoint, Lost, Server, SubscribeParameters};
use lightlike_core::driver::{DialOptions, Dialer as _, StreamDialer};
use lightlike_core::limits::Limits;
use lightlike_core::wire::{Compression, Protocol};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A server with a certificate that it signed itself, and roots that trust it. It answers one handshake.
async fn serve() -> (String, RootCertStore, JoinHandle<()>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let server = async move {
        let (tcp, _) = listener.accept().await.unwrap();
        // A client that does not trust us ends it here.
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(tcp).await else { return };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let request = String::from_utf8(request).unwrap();
        let key =
            request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\
             Sec-WebSocket-Protocol: v3.bsatn.spacetimedb\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    #[expect(clippy::disallowed_methods, reason = "a server of the test's own")]
    let server = tokio::spawn(server);
    (uri, roots, server)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn options(uri: &str) -> DialOptions {
    let endpoint = Endpoint::new(Server::parse(uri).unwrap(), "db").unwrap();
    let compression = Compression::None;
    let parameters = SubscribeParameters { compression, confirmed: None, connection_id: None };
    DialOptions::new(endpoint, parameters, Limits::DEFAULT)
}

async fn dial(dialer: StreamDialer) -> Result<Protocol, DialError> {
    let opened = dialer.dial(&Dial { token: None, session_id: 1, attempt: 1 }).await;
    opened.map(|opened| opened.protocol)
}

#[tokio::test]
async fn trusted_certificate_is_accepted() {
    let (uri, roots, server) = serve().await;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let dialer = StreamDialer::with_tls(options(&uri), Arc::new(config));
    assert_eq!(dial(dialer).await.unwrap(), Protocol::V3);
    server.await.unwrap();
}

#[tokio::test]
async fn untrusted_certificate_is_refused() {
    let (uri, _, server) = serve().await;
    let error = dial(StreamDialer::new(options(&uri)).unwrap()).await.unwrap_err();
    assert!(matches!(error, DialError::Tls(_)), "{error:?}");
    assert!(!Lost::Dial(error).is_retryable());
    server.await.unwrap();
}
