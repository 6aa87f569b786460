//! TLS settings: trusted certificates, and the client's own.

use std::sync::{Arc, LazyLock, OnceLock};

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::whole::Whole;

/// TLS settings: the web's root certificates and those added here; and the certificate by which the client shows who it
/// is, where the server asks for one.
///
/// Clients of one value and its clones share what is made of it, some 30 KiB, and resume each other's TLS sessions. So do
/// all clients of the default. An application makes one value for its clients, and not one for each.
///
/// ```no_run
/// # mod lightlike { pub mod tls { pub use lightlike_core::driver::Tls; } }
/// use lightlike::tls::Tls;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = Tls::new()
///     .root_certificates(std::fs::read("company-root.pem")?)?
///     .client_certificate(std::fs::read("me.pem")?, std::fs::read("me.key")?)?;
/// # let _ = tls;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls {
    roots: Vec<CertificateDer<'static>>,
    without_web_roots: bool,
    client: Option<Arc<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>>,
    made: Made,
}

/// Configuration of rustls, made once for all clones of the settings.
type Made = Arc<OnceLock<Arc<ClientConfig>>>;

/// Of the default.
static WEB: LazyLock<Made> = LazyLock::new(Made::default);

/// Certificates or keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The text is not PEM.
    #[error("cannot read the {what}: it is not PEM: {}", Whole(&**.source))]
    Pem {
        /// Kind of PEM item.
        what: &'static str,
        /// Error of the PEM reader.
        r#source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The text has no certificate.
    #[error(
        "the {what} have no certificate: PEM has one between `-----BEGIN CERTIFICATE-----` and its end"
    )]
    NoCertificate {
        /// Kind of PEM item.
        what: &'static str,
    },
    /// A certificate, or the key to one, cannot be used.
    #[error("the {what} cannot be used: {}", Whole(&**.source))]
    Unusable {
        /// Kind of PEM item.
        what: &'static str,
        /// Error of rustls.
        r#source: Box<dyn std::error::Error + Send + Sync>,
    },
}

const ROOTS: &str = "root certificates";
const CLIENT: &str = "client certificates";
const KEY: &str = "client certificate's key";

impl Tls {
    /// The web's root certificates, and no certificate of the client's.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts root certificates too, given as PEM: one or more.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if the text has none.
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        self.roots.extend(certificates(ROOTS, pem.as_ref())?);
        self.made = Made::default();
        Ok(self)
    }

    /// Trusts only the root certificates that were added, not the web's.
    #[must_use]
    pub fn without_web_roots(mut self) -> Self {
        self.without_web_roots = true;
        self.made = Made::default();
        self
    }

    /// Shows a certificate to a server that asks for one. `chain` has it first, then those that vouch for it; `key` is
    /// its private key; both are PEM, and may be one text.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if a text has none.
    pub fn client_certificate(
        mut self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        let chain = certificates(CLIENT, chain.as_ref())?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref())
            .map_err(|source| TlsError::Pem { what: KEY, source: source.into() })?;
        self.client = Some(Arc::new((chain, key)));
        self.made = Made::default();
        Ok(self)
    }

    /// Configuration of rustls: one for this value and its clones.
    ///
    /// # Errors
    ///
    /// [`TlsError::Unusable`] if rustls does not take a certificate or a key.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(made) = self.made.get() {
            return Ok(Arc::clone(made));
        }
        let config = Arc::new(self.make()?);
        // Another thread may have been sooner.
        Ok(Arc::clone(self.made.get_or_init(|| config)))
    }

    fn make(&self) -> Result<ClientConfig, TlsError> {
        let unusable =
            |what| move |source: rustls::Error| TlsError::Unusable { what, source: source.into() };
        let mut roots = RootCertStore::empty();
        if !self.without_web_roots {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for root in &self.roots {
            roots.add(root.clone()).map_err(unusable(ROOTS))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable("TLS provider"))?
            .with_root_certificates(roots);
        match self.client.as_deref() {
            None => Ok(config.with_no_client_auth()),
            Some((chain, key)) => config
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(unusable(CLIENT)),
        }
    }
}

fn certificates(what: &'static str, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text).collect();
    let found = read.map_err(|source| TlsError::Pem { what, source: source.into() })?;
    if found.is_empty() { Err(TlsError::NoCertificate { what }) } else { Ok(found) }
}

/// As [`Tls::new`].
impl Default for Tls {
    fn default() -> Self {
        let made = Arc::clone(&WEB);
        Self { roots: Vec::new(), without_web_roots: false, client: None, made }
    }
}

/// Without the key.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.len())
            .field("web_roots", &!self.without_web_roots)
            .field("has_client_certificate", &self.client.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_without_certificates_or_keys_is_named() {
        let error = Tls::new().root_certificates("no PEM at all").unwrap_err();
        assert!(error.to_string().contains("the root certificates have no certificate"), "{error}");
        let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        let error = Tls::new().root_certificates(broken).unwrap_err();
        assert!(matches!(error, TlsError::Pem { what: ROOTS, .. }), "{error:?}");
        let hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = Tls::new().client_certificate(hollow, "none").unwrap_err();
        assert!(matches!(error, TlsError::Pem { what: KEY, .. }), "{error:?}");
        let error = Tls::new().root_certificates(hollow).unwrap().config().unwrap_err();
        assert!(matches!(error, TlsError::Unusable { what: ROOTS, .. }), "{error:?}");
    }

    #[test]
    fn equal_settings_share_one_tls_config() {
        let made = |tls: &Tls| tls.config().unwrap();
        let web = made(&Tls::new());
        assert!(Arc::ptr_eq(&web, &made(&Tls::default())));

        let root = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let tls = Tls::new().root_certificates(root.cert.pem()).unwrap();
        let (own, copy) = (made(&tls), tls.clone());
        let (chain, key) = (root.cert.pem(), root.signing_key.serialize_pem());
        let others = [
            web,
            made(&tls.clone().without_web_roots()),
            made(&tls.clone().client_certificate(chain, key).unwrap()),
            made(&tls.root_certificates(root.cert.pem()).unwrap()),
        ];
        assert!(others.iter().all(|other| !Arc::ptr_eq(&own, other)));
        assert!(Arc::ptr_eq(&own, &made(&copy)));
    }
}
