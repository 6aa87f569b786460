//! Builder of clients.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lightlike_core::conn::{
    CloseReason, Config, Connection, ConnectionState, Endpoint, EndpointError, Reconnect, Server,
    SubscribeParameters, WhileDisconnected,
};
use lightlike_core::driver::random_seed;
#[cfg(feature = "http")]
use lightlike_core::guard::Fenced;
use lightlike_core::limits::Limits;
use lightlike_core::secret::{Secret, mask_uri};
use lightlike_core::wire::Compression;

use crate::auth::token::TokenStore;
use crate::client::Client;
use crate::client::blocking::block_on;
use crate::client::declare::Declared;
use crate::client::link::Link;
use crate::client::session::Session;
use crate::error::{Error, Repr};
use crate::hub::Hub;
use crate::observe::spans::Origin;
use crate::offline::Offline;
use crate::optimistic::Mutators;
#[cfg(feature = "http")]
use crate::schema_check::{self, SchemaCheck};
use crate::tables::named::ClientIndexes;

/// Makes a [`Client`].
#[must_use = "a builder does nothing until `connect` or `build`"]
pub struct ClientBuilder {
    uri: Box<str>,
    database: Box<str>,
    token: Option<Secret>,
    tokens: Option<Arc<dyn TokenStore>>,
    compression: Option<Compression>,
    confirmed: Option<bool>,
    retry_first: Option<bool>,
    link: Link,
    while_disconnected: Option<WhileDisconnected>,
    pub(crate) offline: Offline,
    config: Config,
    pub(crate) indexes: ClientIndexes,
    pub(crate) declared: Declared,
    #[cfg(feature = "http")]
    schema: schema_check::Settings,
    pub(crate) mutators: Mutators,
}

impl ClientBuilder {
    pub(crate) fn new(uri: &str, database: &str) -> Self {
        Self {
            uri: uri.into(),
            database: database.into(),
            token: None,
            tokens: None,
            compression: None,
            confirmed: None,
            retry_first: None,
            link: Link::default(),
            while_disconnected: None,
            offline: Offline::default(),
            config: Config::default(),
            indexes: ClientIndexes::default(),
            declared: Declared::default(),
            #[cfg(feature = "http")]
            schema: schema_check::Settings::default(),
            mutators: Mutators::default(),
        }
    }

    /// The token to present, which says who we are. Without one, nor one in a store, the server makes a new identity.
    ///
    /// It comes before the store's, which is not read then, and is replaced when the server has greeted. Several clients may present one token: they are one user and a connection each, and what
    /// one of them calls the others hear of with [`Cause::Other`](crate::events::Cause::Other).
    pub fn token(mut self, token: impl AsRef<str>) -> Self {
        self.token = Some(Secret::from(token.as_ref()));
        self
    }

    /// Keeps the token in a store between runs.
    pub fn token_store(mut self, tokens: impl TokenStore) -> Self {
        self.tokens = Some(Arc::new(tokens));
        self
    }

    /// Sets the compression that the server may use. The default is gzip, and nothing where the server is on this
    /// machine. Brotli is an error when the client is made, if the feature `brotli` is off.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Delays rows and outcomes until they are durable on the server, which is the server's default. Without that they
    /// come sooner, and a crash of the server may take them back.
    pub fn confirmed_reads(mut self, confirmed: bool) -> Self {
        self.confirmed = Some(confirmed);
        self
    }

    /// How long connecting may take, the server's greeting included. The default is 10 s. [`Duration::MAX`]: as long as it
    /// takes. Zero: no attempt succeeds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long the server may be silent before it is pinged (by default 20 s), and how long it may then take until any
    /// byte of it comes (10 s) before the connection counts as lost. Any byte is a sign of life, also one of a message that
    /// takes minutes to arrive: see [`Client::receiving`].
    ///
    /// Zero in the first place pings as often as every 10 ms, in the second it waits for no answer. With [`Duration::MAX`]
    /// in either a server that vanishes is not missed.
    pub fn idle_timeout(mut self, ping_after: Duration, pong_timeout: Duration) -> Self {
        self.config.ping_after = ping_after;
        self.config.pong_timeout = pong_timeout;
        self
    }

    /// Retries the first connection when it cannot be made. By default [`connect`](Self::connect) gives up and says
    /// why, and a client that was [built](Self::build) and started goes on for ever.
    pub fn retry_first_connection(mut self, retry: bool) -> Self {
        self.retry_first = Some(retry);
        self
    }

    /// Sets the policy of reconnecting: see [`Reconnect`]. By default a lost connection is made again, and for ever.
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.config.reconnect = reconnect;
        self
    }

    /// Sets the policy of calls while there is no connection. By default they end as
    /// [`NotSent`](crate::CallError::NotSent), and with an [offline store](Self::offline) they wait.
    pub fn while_disconnected(mut self, policy: WhileDisconnected) -> Self {
        self.while_disconnected = Some(policy);
        self
    }

    /// How far the application may be behind the server, or busy with one message's events, before
    /// [`Client::on_slow_consumer`] and the log are told. The default is 1 s. Zero: whenever anything waits;
    /// [`Duration::MAX`]: never.
    pub fn slow_after(mut self, behind: Duration) -> Self {
        self.config.slow_after = behind;
        self
    }

    /// Longest time that the end of a client waits for the answers to its calls: after its last handle goes, after
    /// [`disconnect`](Client::disconnect), and when the tokio runtime ends that drives it. The default is 1 s; without calls on
    /// their way nothing is waited for. Zero: nothing is waited for at all. More than 10 s is 10 s. See
    /// [how a client ends](Client#ending).
    pub fn linger(mut self, linger: Duration) -> Self {
        self.config.linger = linger;
        self
    }

    /// How much the server and the application may take up. A limit of 0 is an error when the client is made.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    pub(crate) fn change_link(mut self, change: impl FnOnce(&mut Link)) -> Self {
        change(&mut self.link);
        self
    }

    /// Compares the program's structs with the module's schema, and sets what a difference leads to. By default it is
    /// logged.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), lightlike::Error> {
    /// use lightlike::prelude::*;
    /// use lightlike::ErrorKind;
    /// use lightlike::connection::SchemaCheck;
    ///
    /// # #[derive(Bsatn, Table)]
    /// # #[table(name = "user")]
    /// # struct User { #[primary_key] identity: Identity }
    /// let connected = Client::builder("http://127.0.0.1:3000", "chat")
    ///     .table::<User>()
    ///     .schema_check(SchemaCheck::Strict)
    ///     .connect()
    ///     .await;
    /// match connected {
    ///     Ok(db) => println!("{:?} users", db.table::<User>().len()),
    ///     Err(error) if error.kind() == ErrorKind::Schema => {
    ///         for difference in error.schema_differences() {
    ///             println!("{difference}");
    ///         }
    ///     }
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "http")]
    pub fn schema_check(mut self, check: SchemaCheck) -> Self {
        self.schema.check = check;
        self
    }

    /// Runs `hook` with what differs from the module's schema whenever something does: once for what was mentioned before
    /// the schema came, and then at each mention. It runs beside the connection, on the runtime or where the thing is
    /// mentioned.
    #[cfg(feature = "http")]
    pub fn on_schema_drift(
        mut self,
        hook: impl Fn(&[lightlike_core::schema::Difference]) + Send + Sync + 'static,
    ) -> Self {
        self.schema.hook = Some(Arc::new(Fenced::new("on_schema_drift", Box::new(hook))));
        self
    }

    /// Makes the client without connecting: see [`Client::start`], [`Client::run`] and [`Client::start_thread`]. Callbacks can
    /// be registered and query sets asked for before there is a connection.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if the address, the name, the token or a limit cannot be one,
    /// [`Schema`](crate::ErrorKind::Schema) if two declared tables disagree,
    /// [`TokenStore`](crate::ErrorKind::TokenStore) if the token's store fails, and
    /// [`Storage`](crate::ErrorKind::Storage) if the [offline store](Self::offline) does.
    pub fn build(self) -> Result<Client, Error> {
        self.make(false)
    }

    /// Makes a client for a frame loop: nothing is applied and no callback runs outside of [`Client::tick`].
    ///
    /// It connects at once: a thread which all such clients of the process share reads, decompresses and answers pings,
    /// so that a program that does not tick for a while stays connected. What it has received is bounded by
    /// [`Limits::max_received_bytes`](crate::connection::Limits::max_received_bytes). The first connection is tried for ever unless
    /// [`retry_first_connection`](Self::retry_first_connection) says otherwise.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use lightlike::connection::Budget;
    /// use lightlike::prelude::*;
    ///
    /// # fn example() -> Result<(), lightlike::Error> {
    /// let db = Client::builder("http://127.0.0.1:3000", "game").build_manual()?;
    /// loop {
    ///     let tick = db.tick(Budget::time(Duration::from_millis(2)))?;
    ///     // .. draw what `db.read()` shows
    ///     # let _ = tick;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and [`Driver`](crate::ErrorKind::Driver) if the system has no thread left.
    pub fn build_manual(self) -> Result<Client, Error> {
        let client = self.make(true)?;
        client.attach_to_io_thread()?;
        Ok(client)
    }

    fn make(mut self, manual: bool) -> Result<Client, Error> {
        self.config.reconnect.first = self.retry_first.unwrap_or(true);
        let default = match self.offline.is_wanted() {
            true => WhileDisconnected::Wait,
            false => WhileDisconnected::Fail,
        };
        self.config.while_disconnected = self.while_disconnected.unwrap_or(default);
        self.config.limits.check().map_err(Repr::Limit)?;
        let endpoint = self.endpoint().map_err(Repr::Endpoint)?;
        let (session, token) = Session::load(self.tokens, self.token)?;
        let server = endpoint.server();
        let kept = self.offline.load(server.authority(), endpoint.database(), token.as_deref())?;
        let compression = self.compression.unwrap_or_else(|| match server.is_this_machine() {
            true => Compression::None,
            false => Compression::Gzip,
        });
        if !compression.is_built() {
            return Err(Repr::NotBuilt(compression).into());
        }
        let parameters =
            SubscribeParameters { compression, confirmed: self.confirmed, connection_id: None };
        let limits = self.config.limits;
        let origin = Origin::new(&endpoint);
        let route = self.link.route(endpoint, parameters, limits)?;
        let connection = Connection::new(self.config, token, random_seed());
        let hub = Hub::new(connection, session, self.mutators, origin);
        if let Some(kept) = kept {
            self.offline.open(kept, &self.declared, &hub)?;
        }
        hub.command(|connection, _| self.declared.register(connection))?;
        self.indexes.add_to(&hub)?;
        #[cfg(feature = "http")]
        {
            let (uri, database) = (self.uri, self.database);
            let plain_text = route.plain_text.clone();
            let origin = schema_check::Origin { uri, database, limits, plain_text };
            hub.schema.configure(self.schema, origin);
            self.declared.functions.iter().for_each(|function| hub.schema.function(function));
        }
        Ok(Client::new(hub, route, manual))
    }

    /// Makes the client, connects in the background (a task on this tokio runtime), and waits until the server has
    /// greeted.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # async fn example() -> Result<(), lightlike::Error> {
    /// let db = Client::builder("http://127.0.0.1:3000", "chat")
    ///     .token_store(FileTokens::new("chat"))
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - As [`build`](Self::build), and [`NoRuntime`](crate::ErrorKind::NoRuntime) outside a tokio runtime.
    /// - [`NotFound`](crate::ErrorKind::NotFound): the server has no such database.
    /// - [`Auth`](crate::ErrorKind::Auth): it does not accept the token. If that came from the
    ///   [store](Self::token_store), the error says [where it is](TokenStore::location).
    /// - [`Connect`](crate::ErrorKind::Connect): it cannot be reached, or it is no SpacetimeDB 2.x server. A
    ///   `client_connected` reducer that refuses is this too.
    /// - [`Schema`](crate::ErrorKind::Schema): a [strict check](Self#method.schema_check) found differences.
    /// - [`TokenStore`](crate::ErrorKind::TokenStore): the new token cannot be kept.
    ///
    /// # Cancel safety
    ///
    /// Dropping this closes the connection.
    pub async fn connect(self) -> Result<Client, Error> {
        let (client, names) = self.build_to_connect()?;
        client.start()?;
        greeted(client, names).await
    }

    /// As [`connect`](Self::connect), for programs without a runtime: the client runs on a thread of its own (see
    /// [`Client::start_thread`]), and this one waits. Not to be called in asynchronous code.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and [`Driver`](crate::ErrorKind::Driver) if the system has no thread left.
    pub fn connect_blocking(self) -> Result<Client, Error> {
        let (client, names) = self.build_to_connect()?;
        // Whoever wants to join it starts it.
        let _thread = client.start_thread()?;
        block_on(greeted(client, names))
    }

    /// Makes a client that gives up when it cannot connect, unless it was told otherwise.
    fn build_to_connect(self) -> Result<(Client, [Box<str>; 2]), Error> {
        let names = [self.database.clone(), self.uri.clone()];
        let first = self.retry_first.unwrap_or(false);
        Ok((self.retry_first_connection(first).build()?, names))
    }

    fn endpoint(&self) -> Result<Endpoint, EndpointError> {
        Endpoint::new(Server::parse(&self.uri)?, &self.database)
    }
}

/// Waits until the server has greeted.
async fn greeted(client: Client, [database, server]: [Box<str>; 2]) -> Result<Client, Error> {
    let settled = |state: &ConnectionState| {
        use ConnectionState::{Closed, NeedsAuth, Ready};
        matches!(state, Ready | NeedsAuth(_) | Closed(_))
    };
    match client.state().wait_for(settled).await {
        Ok(ConnectionState::Closed(CloseReason::Lost(lost)) | ConnectionState::NeedsAuth(lost)) => {
            let stored = client.hub().session.presented();
            return Err(Repr::Connect { database, server, stored, lost }.into());
        }
        Ok(ConnectionState::Ready) => (),
        Ok(_) | Err(_) => return Err(Repr::Closed.into()),
    }
    #[cfg(feature = "http")]
    schema_check::connected(&client).await?;
    client.hub().session.check()?;
    Ok(client)
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret.
        f.debug_struct("ClientBuilder")
            .field("uri", &mask_uri(&self.uri))
            .field("database", &mask_uri(&self.database))
            .field("compression", &self.compression)
            .field("confirmed", &self.confirmed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn limit_of_zero_is_configuration_error() {
        let mut limits = Limits::default();
        limits.max_calls_in_flight = 0;
        let builder = Client::builder("http://localhost:3000", "chat").limits(limits);
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("`max_calls_in_flight` is 0"), "{error}");
    }

    #[cfg(not(feature = "brotli"))]
    #[test]
    fn unsupported_compression_is_refused_at_build() {
        let builder = Client::builder("http://localhost:3000", "chat");
        let error = builder.compression(Compression::Brotli).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("its feature `brotli`"), "{error}");
    }
}
