//! TLS before a server.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::support::multi_thread;

/// Vouches for servers and clients.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The root certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A client's certificate and its key.
    pub(crate) fn client(&self, name: &str) -> (String, String) {
        self.certificate(name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn certificate(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn server_config(&self) -> ServerConfig {
        let (chain, key) = self.certificate("localhost", ExtendedKeyUsagePurpose::ServerAuth);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap()
    }
}

/// Decrypts for a server. Ends when it is dropped.
pub(crate) struct Front {
    port: u16,
    _runtime: Runtime,
}

impl Front {
    /// Stands before the server at `uri`.
    pub(crate) fn start(uri: &str, authority: &Authority) -> Self {
        let runtime = multi_thread();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(authority.server_config()));
        let server = uri.trim_start_matches("http://").to_owned();
        runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                // A client that does not trust us, or that we do not trust, ends it here.
                let Ok(mut encrypted) = acceptor.accept(tcp).await else { continue };
                let mut plain = TcpStream::connect(&server).await.unwrap();
                tokio::task::spawn(async move {
                    // Either side may end it.
                    let _ = tokio::io::copy_bidirectional(&mut encrypted, &mut plain).await;
                });
            }
        });
        Self { port, _runtime: runtime }
    }

    pub(crate) fn uri(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}
