//! Proxies: which one a server is reached through.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use data_encoding::BASE64;

use crate::conn::{EndpointError, Server};

/// The proxy through which servers are reached: none, what the environment names, or a certain one.
///
/// A proxy is asked for a tunnel (`CONNECT`) to the server's host and port, for `http` and `https` alike, so it sees
/// neither headers nor, with `https`, anything else. It may want a user name and a password (`Basic`), which stand in its
/// address.
///
/// What the [environment](Self::environment) names is the default, as for most programs that speak HTTP:
///
/// - `HTTPS_PROXY` for addresses with `https` or `wss`, `HTTP_PROXY` for those with `http` or `ws`, and `ALL_PROXY` where
///   that is not set; in small letters too. `HTTP_PROXY` is not read where `REQUEST_METHOD` is set, because in a CGI program
///   it may be a request's header.
/// - `NO_PROXY` lists hosts that are reached directly, see [`except`](Self::except).
/// - This machine (`localhost`, `*.localhost`, `127.0.0.0/8`, `::1`) is always reached directly.
///
/// ```
/// # mod lightlike {
/// #     pub mod connection { pub use lightlike_core::driver::Proxy; }
/// #     pub mod error { pub use lightlike_core::driver::ProxyError; }
/// # }
/// use lightlike::connection::Proxy;
///
/// # fn main() -> Result<(), lightlike::error::ProxyError> {
/// let direct = Proxy::none();
/// let company = Proxy::url("http://ada:secret@proxy.example:3128")?.except("intern.example, 10.0.0.0/8");
/// assert!(!format!("{company:?}").contains("secret"));
/// # let _ = direct;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Proxy(Choice);

#[derive(Debug, Clone, Default)]
enum Choice {
    None,
    #[default]
    Environment,
    Certain(Arc<Hop>, Bypass),
}

/// An address of a proxy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It is not an address.
    #[error(
        "{from} names a proxy by no address: {source}; it looks like `http://proxy.example:3128`"
    )]
    Address {
        /// Setting that it was given in.
        from: &'static str,
        /// Error of the address.
        r#source: EndpointError,
    },
    /// Proxies of its kind are not supported.
    #[error(
        "{from} names a proxy that speaks `{scheme}`, which is not supported: give one that speaks `http` or `https`, or \
         `Proxy::none()`"
    )]
    Scheme {
        /// Setting that it was given in.
        from: &'static str,
        /// Its scheme.
        scheme: Box<str>,
    },
}

/// One proxy.
pub(in crate::driver) struct Hop {
    pub(in crate::driver) server: Server,
    /// The value of `Proxy-Authorization`, if it has one.
    pub(in crate::driver) authorization: Option<Box<str>>,
    /// The address as it was given, with user name and password.
    address: Box<str>,
}

impl Proxy {
    /// No proxy, whatever the environment says.
    pub const fn none() -> Self {
        Self(Choice::None)
    }

    /// Proxies that the environment names, when a client is made.
    pub const fn environment() -> Self {
        Self(Choice::Environment)
    }

    /// The proxy at an address such as `http://proxy.example:3128`, for every server but this machine. Without a scheme it
    /// is `http`.
    ///
    /// # Errors
    ///
    /// [`ProxyError`] if it is no address, or of a proxy that speaks something else than `http` or `https`.
    pub fn url(address: &str) -> Result<Self, ProxyError> {
        let hop = Hop::parse(address, "the address given")?;
        Ok(Self(Choice::Certain(Arc::new(hop), Bypass::default())))
    }

    /// Reaches these hosts directly, besides this machine. A list with commas, as in `NO_PROXY`: names, which mean the
    /// hosts below them too, addresses, networks (`10.0.0.0/8`), each with a port or without, and `*` for all.
    ///
    /// Of [the environment's](Self::environment) proxies the environment says it.
    #[must_use]
    pub fn except(self, hosts: &str) -> Self {
        match self.0 {
            Choice::Certain(hop, _) => Self(Choice::Certain(hop, Bypass::parse(hosts))),
            other => Self(other),
        }
    }

    /// The address of the proxy for a server, with user name and password: for another client of HTTP.
    ///
    /// # Errors
    ///
    /// [`ProxyError`] if the environment names one that cannot be used.
    pub fn address_for(&self, server: &Server) -> Result<Option<String>, ProxyError> {
        Ok(self.hop(server)?.map(|hop| String::from(&*hop.address)))
    }

    pub(in crate::driver) fn hop(&self, server: &Server) -> Result<Option<Arc<Hop>>, ProxyError> {
        self.hop_in(server, |name| std::env::var(name).ok())
    }

    fn hop_in(
        &self,
        server: &Server,
        var: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Arc<Hop>>, ProxyError> {
        if server.is_this_machine() {
            return Ok(None);
        }
        match &self.0 {
            Choice::None => Ok(None),
            Choice::Certain(hop, bypass) => Ok((!bypass.covers(server)).then(|| Arc::clone(hop))),
            Choice::Environment => environment(server, var),
        }
    }
}

fn environment(
    server: &Server,
    var: impl Fn(&str) -> Option<String>,
) -> Result<Option<Arc<Hop>>, ProxyError> {
    let set = |name: &'static str| {
        let value = var(name).or_else(|| var(&name.to_ascii_lowercase()))?;
        (!value.trim().is_empty()).then_some((name, value))
    };
    let own = match server.is_secure() {
        true => set("HTTPS_PROXY"),
        false if var("REQUEST_METHOD").is_some() => None,
        false => set("HTTP_PROXY"),
    };
    let Some((from, address)) = own.or_else(|| set("ALL_PROXY")) else { return Ok(None) };
    let bypass = set("NO_PROXY").map(|(_, hosts)| Bypass::parse(&hosts)).unwrap_or_default();
    if bypass.covers(server) {
        return Ok(None);
    }
    Hop::parse(&address, from).map(|hop| Some(Arc::new(hop)))
}

impl Hop {
    fn parse(address: &str, from: &'static str) -> Result<Self, ProxyError> {
        let address = address.trim();
        let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
        if !matches!(scheme, "http" | "https") {
            return Err(ProxyError::Scheme { from, scheme: scheme.into() });
        }
        // A password may have any character, escaped or not.
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, rest),
        };
        let server = Server::parse(&format!("{scheme}://{host}"));
        let server = server.map_err(|source| ProxyError::Address { from, source })?;
        let authorization = user.map(|user| {
            let user = unescape(user);
            let user = if user.contains(&b':') { user } else { [&user[..], b":"].concat() };
            format!("Basic {}", BASE64.encode(&user)).into()
        });
        let address = format!("{scheme}://{rest}").into();
        Ok(Self { server, authorization, address })
    }
}

/// Without user name and password.
impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hop")
            .field("authority", &self.server.authority())
            .field("is_secure", &self.server.is_secure())
            .field("has_user", &self.authorization.is_some())
            .finish_non_exhaustive()
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = |digit: u8| char::from(digit).to_digit(16);
        match (first, more) {
            (b'%', [high, low, more @ ..])
                if let (Some(high), Some(low)) = (hex(*high), hex(*low)) =>
            {
                bytes.push((high << 4 | low) as u8);
                rest = more;
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    bytes
}

/// Hosts that are reached directly.
#[derive(Debug, Clone, Default)]
struct Bypass(Vec<Item>);

#[derive(Debug, Clone)]
enum Item {
    All,
    Name { name: String, port: Option<u16> },
    Network { network: IpAddr, bits: u32, port: Option<u16> },
}

impl Bypass {
    fn parse(hosts: &str) -> Self {
        let items = hosts.split([',', ' ']).map(str::trim).filter(|item| !item.is_empty());
        Self(items.map(Item::parse).collect())
    }

    fn covers(&self, server: &Server) -> bool {
        let host = server.host().trim_end_matches('.').to_ascii_lowercase();
        let (ip, port) = (host.parse().ok(), server.port());
        self.0.iter().any(|item| item.covers(&host, ip, port))
    }
}

impl Item {
    fn parse(item: &str) -> Self {
        if item == "*" {
            return Self::All;
        }
        let (host, port) = match item.rsplit_once(':') {
            // The colons of an address of version 6 are no port's.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().ok())
            }
            _ => (item, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let (network, bits) = match host.split_once('/') {
            Some((network, bits)) => (network, bits.parse().ok()),
            None => (&*host, Some(128)),
        };
        match (network.parse(), bits) {
            (Ok(network), Some(bits)) => Self::Network { network, bits, port },
            _ => {
                let name = host.trim_start_matches("*.").trim_start_matches('.');
                Self::Name { name: name.to_owned(), port }
            }
        }
    }

    fn covers(&self, host: &str, ip: Option<IpAddr>, at: u16) -> bool {
        let of = |port: &Option<u16>| port.is_none_or(|port| port == at);
        match self {
            Self::All => true,
            Self::Name { name, port } => {
                let below = host.strip_suffix(&**name).is_some_and(|rest| rest.ends_with('.'));
                of(port) && (host == name || below)
            }
            Self::Network { network, bits, port } => {
                of(port) && ip.is_some_and(|ip| is_in(ip, *network, *bits))
            }
        }
    }
}

fn is_in(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (ip, network, width) = match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            (u128::from(ip.to_bits()), u128::from(network.to_bits()), 32)
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => (ip.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    let outside = width - bits.min(width);
    (ip ^ network).checked_shr(outside).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(uri: &str) -> Server {
        Server::parse(uri).unwrap()
    }

    /// The proxy for a server in an environment.
    fn proxy(uri: &str, vars: &[(&str, &str)]) -> Option<String> {
        let var = |name: &str| {
            let found = vars.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let hop = Proxy::environment().hop_in(&server(uri), var).unwrap();
        hop.map(|hop| hop.server.authority().to_owned())
    }

    #[test]
    fn the_environment_names_a_proxy_for_each_scheme() {
        let vars = [("HTTP_PROXY", "plain:1"), ("https_proxy", "http://secure:2")];
        assert_eq!(proxy("http://db.example", &vars).as_deref(), Some("plain:1"));
        assert_eq!(proxy("ws://db.example", &vars).as_deref(), Some("plain:1"));
        assert_eq!(proxy("wss://db.example", &vars).as_deref(), Some("secure:2"));
        let all = [("ALL_PROXY", "all:3"), ("HTTPS_PROXY", "")];
        assert_eq!(proxy("https://db.example", &all).as_deref(), Some("all:3"));
        let cgi = [("HTTP_PROXY", "evil:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(proxy("http://db.example", &cgi), None);
        assert_eq!(proxy("http://db.example", &[]), None);
    }

    #[test]
    fn this_machine_is_reached_directly() {
        for host in ["localhost", "127.0.0.1:3000", "127.8.8.8", "[::1]:3000", "db.localhost"] {
            assert_eq!(
                proxy(&format!("http://{host}"), &[("ALL_PROXY", "proxy:1")]),
                None,
                "{host}"
            );
        }
    }

    #[test]
    fn no_proxy_lists_names_addresses_and_networks() {
        #[rustfmt::skip]
        let cases = [
            ("example.com", "http://example.com", true),
            ("example.com", "http://db.example.com", true),
            ("example.com", "http://badexample.com", false),
            (".example.com", "http://db.EXAMPLE.com.", true),
            ("*.example.com", "http://db.example.com", true),
            ("other, example.com", "http://example.com:3000", true),
            ("example.com:3000", "http://example.com:3000", true),
            ("example.com:3000", "http://example.com", false),
            ("10.0.0.0/8", "http://10.1.2.3:3000", true),
            ("10.0.0.0/8", "http://11.1.2.3", false),
            ("192.168.1.7", "http://192.168.1.7", true),
            ("0.0.0.0/0", "http://8.8.8.8", true),
            ("0.0.0.0/0", "http://[fd00::1]", false),
            ("fd00::/8", "http://[fd12::1]:3000", true),
            ("[fd12::1]:3000", "http://[fd12::1]:3000", true),
            ("10.0.0.0/99", "http://10.0.0.0", true),
            ("*", "http://anything.at.all", true),
            (" ,, ", "http://example.com", false),
        ];
        for (list, uri, direct) in cases {
            let vars = [("http_proxy", "proxy:1"), ("no_proxy", list)];
            assert_eq!(proxy(uri, &vars).is_none(), direct, "{list}: {uri}");
            let certain = Proxy::url("proxy:1").unwrap().except(list);
            let hop = certain.hop_in(&server(uri), |_| None).unwrap();
            assert_eq!(hop.is_none(), direct, "{list}: {uri}");
        }
    }

    #[test]
    fn proxy_credentials_are_presented_and_hidden() {
        let proxy = Proxy::url("http://ada:p%40ss@word@proxy.example:3128").unwrap();
        let hop = proxy.hop(&server("http://db.example")).unwrap().unwrap();
        let value = hop.authorization.as_deref().unwrap();
        assert_eq!(value, format!("Basic {}", BASE64.encode(b"ada:p@ss@word")));
        assert!(!format!("{proxy:?}").contains("p%40ss"), "{proxy:?}");
        let alone = Proxy::url("ada@proxy").unwrap().hop(&server("http://db.example")).unwrap();
        let value = alone.unwrap().authorization.clone();
        assert_eq!(value.unwrap(), format!("Basic {}", BASE64.encode(b"ada:")).into());
    }

    #[test]
    fn invalid_proxy_error_names_its_variable() {
        let error = Proxy::url("socks5://tor:9050").unwrap_err();
        assert!(matches!(&error, ProxyError::Scheme { scheme, .. } if &**scheme == "socks5"));
        let error = Proxy::url("http://ada:secret@proxy:port").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        let var = |name: &str| (name == "ALL_PROXY").then(|| "socks5://tor:9050".to_owned());
        let error = Proxy::environment().hop_in(&server("http://db.example"), var).unwrap_err();
        assert!(error.to_string().starts_with("ALL_PROXY names"), "{error}");
    }
}
