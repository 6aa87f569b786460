//! Endpoints: a server's address and a database's name, checked when they are given.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

use crate::secret::mask_uri;
use crate::types::{ConnectionId, Identity};
use crate::wire::Compression;

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    secure: bool,
    /// Host and, where it is given, port.
    authority: Box<str>,
    /// The port, given or the scheme's.
    port: u16,
    /// Without a slash at its end.
    base_path: Box<str>,
}

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    server: Server,
    database: Box<str>,
}

/// Errors of addresses and database names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The address has a user, or a user and a password.
    #[error(
        "`{uri}` has a user before the `@`; give the server's address alone, and say who you are with a token"
    )]
    Credentials {
        /// The text that was given, without them.
        uri: Box<str>,
    },
    /// The address is not a URI.
    #[error("`{uri}` is not an address; it looks like `http://127.0.0.1:3000` or `https://host`")]
    InvalidUri {
        /// The text that was given, without secrets.
        uri: Box<str>,
    },
    /// The port is none.
    #[error(
        "`{uri}` has the port `{port}`: a port is a number from 1 to 65535, and without its colon the scheme's is used"
    )]
    InvalidPort {
        /// Address as given.
        uri: Box<str>,
        /// Text in the port's place.
        port: Box<str>,
    },
    /// The scheme is none of the four.
    #[error("`{uri}` has the scheme `{scheme}`; use http, https, ws or wss")]
    UnknownScheme {
        /// The text that was given, without secrets.
        uri: Box<str>,
        /// Its scheme.
        scheme: Box<str>,
    },
    /// The address has a query or a fragment.
    #[error("`{uri}` has a query or a fragment; give the server's address alone")]
    QueryInUri {
        /// The text that was given, without secrets.
        uri: Box<str>,
    },
    /// The database's name is empty, or has characters that no name has.
    #[error(
        "`{name}` is not a database: give its name (letters, digits, `-`, `_`, `.`, `/`) or its identity in hex"
    )]
    InvalidName {
        /// Address as given.
        name: Box<str>,
    },
}

impl Server {
    /// Reads an address such as `http://127.0.0.1:3000`, `wss://host/base`; `http` and `ws` mean the same, as do
    /// `https` and `wss`. Without a scheme (`localhost:3000`) it is `http`, as in the official client: what is sent is not
    /// encrypted.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] if it is none. What stands in it as a user name, a password or a query is not repeated there.
    pub fn parse(uri: &str) -> Result<Self, EndpointError> {
        let uri = uri.trim();
        let given = || Box::<str>::from(mask_uri(uri));
        let invalid = || EndpointError::InvalidUri { uri: given() };
        if uri.contains('@') {
            return Err(EndpointError::Credentials { uri: given() });
        }
        if uri.contains(['?', '#']) {
            return Err(EndpointError::QueryInUri { uri: given() });
        }
        let with_scheme = match uri.contains("://") {
            true => Cow::Borrowed(uri),
            false => Cow::Owned(format!("http://{uri}")),
        };
        let parsed: http::Uri = with_scheme.parse().map_err(|_| invalid())?;
        let secure = match parsed.scheme_str().ok_or_else(invalid)? {
            "http" | "ws" => false,
            "https" | "wss" => true,
            scheme => {
                let scheme = scheme.into();
                return Err(EndpointError::UnknownScheme { uri: given(), scheme });
            }
        };
        let authority = parsed.authority().ok_or_else(invalid)?.as_str();
        let (host, port) = split_authority(authority);
        if host.is_empty() {
            return Err(invalid());
        }
        let port = match port {
            None if secure => 443,
            None => 80,
            Some(port) => match port.parse() {
                Ok(number @ 1..) if port.bytes().all(|byte| byte.is_ascii_digit()) => number,
                _ => return Err(EndpointError::InvalidPort { uri: given(), port: port.into() }),
            },
        };
        let base_path = parsed.path().trim_end_matches('/').into();
        Ok(Self { secure, authority: authority.into(), port, base_path })
    }

    /// Returns `true` if the socket is to be encrypted.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns `true` if the host is the machine that this runs on, by its name: what is sent there does not leave it.
    pub fn is_this_machine(&self) -> bool {
        let host = self.host().trim_end_matches('.').to_ascii_lowercase();
        let is_name = host == "localhost" || host.ends_with(".localhost");
        is_name || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Host and, where it was given, port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host, without brackets where it is an IPv6 address.
    pub fn host(&self) -> &str {
        split_authority(&self.authority).0.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, given or the scheme's.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a path of the HTTP API: `path` starts with `/v1/`.
    pub fn http_uri(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}{path}", self.authority, self.base_path)
    }
}

/// Host and port; the colons of an IPv6 address stand in brackets.
fn split_authority(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Checks that a text can be the name of a database: letters, digits, `-`, `_`, `.`, and slashes between parts.
///
/// # Errors
///
/// [`EndpointError::InvalidName`] otherwise.
pub fn check_database_name(name: &str) -> Result<(), EndpointError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    let odd_part = name.split('/').any(|part| matches!(part, "" | "." | ".."));
    if odd_part || !name.bytes().all(allowed) {
        return Err(EndpointError::InvalidName { name: mask_uri(name).into() });
    }
    Ok(())
}

/// Parameters of a subscription's address besides the database.
#[derive(Debug, Clone, Copy)]
pub struct SubscribeParameters {
    /// Compression that the server may use.
    pub compression: Compression,
    /// Delays data until it is durable; `None` leaves it to the server, which says yes.
    pub confirmed: Option<bool>,
    /// Our own name for the connection; the server makes one otherwise.
    pub connection_id: Option<ConnectionId>,
}

impl Endpoint {
    /// A database by its name or its identity in hex.
    ///
    /// # Errors
    ///
    /// [`EndpointError::InvalidName`].
    pub fn new(server: Server, database: &str) -> Result<Self, EndpointError> {
        check_database_name(database)?;
        // A name may have slashes; as one segment of a path they are escaped.
        Ok(Self { server, database: database.into() })
    }

    /// A database by its identity.
    pub fn by_identity(server: Server, database: &Identity) -> Self {
        Self { server, database: database.to_hex().into() }
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The database's name or identity, as it was given.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The path of the database in the HTTP API, without the server's base.
    pub fn database_path(&self) -> String {
        format!("/v1/database/{}", self.database.replace('/', "%2F"))
    }

    /// Path and query of the handshake. `session_id` names the client over reconnects.
    ///
    /// # Source
    ///
    /// `GET {base}/v1/database/{name}/subscribe` with the parameters' names and spellings as the 2.x server reads
    /// them; `compression` is case-sensitive there.
    pub fn subscribe_path(
        &self,
        parameters: &SubscribeParameters,
        session_id: Option<u128>,
    ) -> String {
        let base = &self.server.base_path;
        let database = self.database_path();
        let compression = parameters.compression.query();
        let mut path = format!("{base}{database}/subscribe?compression={compression}");
        if let Some(confirmed) = parameters.confirmed {
            let _ = write!(path, "&confirmed={confirmed}");
        }
        if let Some(connection_id) = parameters.connection_id {
            let _ = write!(path, "&connection_id={}", connection_id.to_hex());
        }
        if let Some(session_id) = session_id {
            let _ = write!(path, "&session_id={session_id:032x}");
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_scheme_host_and_port() {
        #[rustfmt::skip]
        let cases = [
            ("http://127.0.0.1:3000", false, "127.0.0.1", 3000, "127.0.0.1:3000"),
            ("wss://host.example/base/", true, "host.example", 443, "host.example"),
            ("ws://host", false, "host", 80, "host"),
            ("https://[::1]:3000", true, "::1", 3000, "[::1]:3000"),
            ("https://[::1]", true, "::1", 443, "[::1]"),
            (" localhost:3000 ", false, "localhost", 3000, "localhost:3000"),
            ("host.example", false, "host.example", 80, "host.example"),
            ("[::1]:3000/base", false, "::1", 3000, "[::1]:3000"),
            ("http://host:00080", false, "host", 80, "host:00080"),
        ];
        for (uri, secure, host, port, authority) in cases {
            let server = Server::parse(uri).unwrap();
            let got = (server.is_secure(), server.host(), server.port(), server.authority());
            assert_eq!(got, (secure, host, port, authority), "{uri}");
        }
    }

    #[test]
    fn a_port_that_is_none_is_named() {
        for (uri, port) in [
            ("http://host:99999", "99999"),
            ("http://host:65536", "65536"),
            ("http://host:0", "0"),
            ("http://host:", ""),
            ("localhost:http", "http"),
            ("https://[::1]:", ""),
        ] {
            match Server::parse(uri).unwrap_err() {
                error @ EndpointError::InvalidPort { .. } => {
                    assert!(error.to_string().contains(&format!("the port `{port}`")), "{error}");
                }
                other => panic!("{uri}: {other:?}"),
            }
        }
    }

    #[test]
    fn invalid_address_error_hides_secrets() {
        for uri in ["", "http://", "://host", "http://ho st", "/path", "http://:3000"] {
            assert!(Server::parse(uri).is_err(), "{uri}");
        }
        for uri in [
            "http://ada:secret@host",
            "ada:secret@host:3000",
            "http://ada:se/secret@host?token=secret",
            "http://host?token=secret",
            "host/?token=secret",
            "http://host#token=secret",
        ] {
            let error = Server::parse(uri).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(!text.contains("secret") && text.contains("host"), "{text}");
        }
        let error = Server::parse("ftp://host").unwrap_err();
        assert!(matches!(error, EndpointError::UnknownScheme { scheme, .. } if &*scheme == "ftp"));
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for uri in ["localhost", "LOCALHOST:3000", "db.localhost", "127.9.9.9", "http://[::1]:1"] {
            assert!(Server::parse(uri).unwrap().is_this_machine(), "{uri}");
        }
        for uri in ["localhost.example", "128.0.0.1", "[::2]"] {
            assert!(!Server::parse(uri).unwrap().is_this_machine(), "{uri}");
        }
    }
}
