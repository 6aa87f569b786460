//! TLS of connections: root certificates and client certificates, for [`ClientBuilder::tls`](crate::ClientBuilder::tls).

#[doc(inline)]
pub use lightlike_core::driver::{Tls, TlsError};
