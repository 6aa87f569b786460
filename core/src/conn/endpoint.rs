//! Where a database is: the server's address and the database's name, checked when they are given.

use std::fmt::Write as _;

use crate::secret::mask_uri;
use crate::types::{ConnectionId, Identity};
use crate::wire::Compression;

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    secure: bool,
    /// Host and, where it is given, port.
    authority: Box<str>,
    /// Without a slash at its end.
    base_path: Box<str>,
}

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    server: Server,
    database: Box<str>,
}

/// Why an address or a name cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The address has a user, or a user and a password.
    #[error(
        "`{uri}` has a user before the `@`; give the server's address alone, and say who you are with a token"
    )]
    Credentials {
        /// What was given, without them.
        uri: Box<str>,
    },
    /// The address is not a URI.
    #[error("`{uri}` is not an address; it looks like `http://127.0.0.1:3000` or `https://host`")]
    InvalidUri {
        /// What was given, without secrets.
        uri: Box<str>,
    },
    /// The scheme is none of the four.
    #[error("`{uri}` has the scheme `{scheme}`; use http, https, ws or wss")]
    UnknownScheme {
        /// What was given, without secrets.
        uri: Box<str>,
        /// Its scheme.
        scheme: Box<str>,
    },
    /// The address has a query or a fragment.
    #[error("`{uri}` has a query or a fragment; give the server's address alone")]
    QueryInUri {
        /// What was given, without secrets.
        uri: Box<str>,
    },
    /// The database's name is empty, or has characters that no name has.
    #[error(
        "`{name}` is not a database: give its name (letters, digits, `-`, `_`, `.`, `/`) or its identity in hex"
    )]
    InvalidName {
        /// What was given.
        name: Box<str>,
    },
}

impl Server {
    /// Reads an address such as `http://127.0.0.1:3000`, `wss://host/base`; `http` and `ws` mean the same, as do
    /// `https` and `wss`.
    ///
    /// # Errors
    ///
    /// [`EndpointError::InvalidUri`], [`UnknownScheme`](EndpointError::UnknownScheme) or
    /// [`QueryInUri`](EndpointError::QueryInUri).
    pub fn parse(uri: &str) -> Result<Self, EndpointError> {
        let masked = || Box::<str>::from(mask_uri(uri));
        let invalid = || EndpointError::InvalidUri { uri: masked() };
        if uri.contains('@') {
            return Err(EndpointError::Credentials { uri: masked() });
        }
        let parsed: http::Uri = uri.trim().parse().map_err(|_| invalid())?;
        let secure = match parsed.scheme_str().ok_or_else(invalid)? {
            "http" | "ws" => false,
            "https" | "wss" => true,
            scheme => {
                let scheme = scheme.into();
                return Err(EndpointError::UnknownScheme { uri: masked(), scheme });
            }
        };
        let authority = parsed.authority().ok_or_else(invalid)?;
        if authority.host().is_empty() {
            return Err(invalid());
        }
        if parsed.query().is_some() || uri.contains('#') {
            return Err(EndpointError::QueryInUri { uri: masked() });
        }
        let base_path = parsed.path().trim_end_matches('/');
        Ok(Self { secure, authority: authority.as_str().into(), base_path: base_path.into() })
    }

    /// Whether the socket is to be encrypted.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether the host is the machine that this runs on, by its name: what is sent there does not leave it.
    pub fn is_this_machine(&self) -> bool {
        let host = self.host();
        let is_name = host.eq_ignore_ascii_case("localhost")
            || host.to_ascii_lowercase().ends_with(".localhost");
        is_name || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Host and, where it was given, port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host, without brackets where it is an IPv6 address.
    pub fn host(&self) -> &str {
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.authority,
        };
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, given or the scheme's.
    pub fn port(&self) -> u16 {
        let given = self.authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        given.unwrap_or(if self.secure { 443 } else { 80 })
    }

    /// The address of a path of the HTTP API: `path` starts with `/v1/`.
    pub fn http_uri(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}{path}", self.authority, self.base_path)
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

/// What the path of a subscription says besides the database.
#[derive(Debug, Clone, Copy)]
pub struct SubscribeParameters {
    /// What the server may compress with.
    pub compression: Compression,
    /// Whether data waits until it is durable; `None` leaves it to the server, which says yes.
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
