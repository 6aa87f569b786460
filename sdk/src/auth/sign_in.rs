//! Signing in with a provider of identities: OpenID Connect's authorization code flow with PKCE.

use std::fmt;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use lightlike_core::conn::Server;
#[cfg(feature = "http")]
use lightlike_core::secret::hide;
use lightlike_core::secret::{Secret, check_token, mask_uri};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;

use super::error::SignInError;
use super::form;

/// A provider of identities that speaks OpenID Connect, and how it knows the application.
///
/// It has to sign its tokens with ES256 or RS256: servers accept no others.
///
/// ```no_run
/// use lightlike::auth::{Provider, Refresh};
/// use lightlike::prelude::*;
///
/// # fn open_in_a_browser(_: &str) {}
/// # async fn wait_for_the_callback() -> String { String::new() }
/// # async fn renewed() -> Result<String, std::io::Error> { Ok(String::new()) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // A person signs in ..
/// let provider = Provider::spacetime_auth("client_0123456789");
/// let sign_in = provider.sign_in("http://127.0.0.1:8400/callback")?;
/// open_in_a_browser(sign_in.url());
/// let code = sign_in.callback(&wait_for_the_callback().await)?;
/// // .. what is to be sent for a token is told; with feature `http`, `code.exchange().await` sends it.
/// println!("POST {} {}", code.token_uri(), code.form());
///
/// // A client asks for another token before the one at hand expires, and when it is refused.
/// let db = Client::builder("https://maincloud.spacetimedb.com", "chat")
///     .token_store(FileTokens::new("chat"))
///     .refresh_token(Refresh::new(|_| renewed()))
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Provider {
    authorize_uri: Box<str>,
    token_uri: Box<str>,
    client_id: Box<str>,
}

impl Provider {
    /// A provider by its addresses for authorizing and for tokens, which its discovery document lists as
    /// `authorization_endpoint` and `token_endpoint`. `client_id` is what it calls the application.
    ///
    /// # Errors
    ///
    /// [`SignInError::Uri`] if an address is none.
    pub fn new(authorize_uri: &str, token_uri: &str, client_id: &str) -> Result<Self, SignInError> {
        Server::parse(authorize_uri)?;
        Server::parse(token_uri)?;
        Ok(Self::known(authorize_uri, token_uri, client_id))
    }

    /// SpacetimeAuth, SpacetimeDB's own provider. `client_id` is in its dashboard.
    ///
    /// # Source
    ///
    /// <https://spacetimedb.com/docs/spacetimeauth/testing>
    pub fn spacetime_auth(client_id: &str) -> Self {
        let base = "https://auth.spacetimedb.com/oidc";
        Self::known(&format!("{base}/auth"), &format!("{base}/token"), client_id)
    }

    fn known(authorize_uri: &str, token_uri: &str, client_id: &str) -> Self {
        Self {
            authorize_uri: authorize_uri.into(),
            token_uri: token_uri.into(),
            client_id: client_id.into(),
        }
    }

    /// Begins an attempt at signing in, which ends at `redirect_uri`: an address that the provider knows as one of the
    /// application's, such as `http://127.0.0.1:8400/callback`. Asks for `openid profile email`.
    ///
    /// # Errors
    ///
    /// [`SignInError::NoRandomness`]
    pub fn sign_in(&self, redirect_uri: &str) -> Result<SignIn, SignInError> {
        self.sign_in_with(redirect_uri, &[("scope", "openid profile email")])
    }

    /// As [`sign_in`](Self::sign_in), with parameters of your own: `scope`, `prompt`, `login_hint` and whatever else the
    /// provider knows.
    ///
    /// # Errors
    ///
    /// [`SignInError::NoRandomness`]
    pub fn sign_in_with(
        &self,
        redirect_uri: &str,
        parameters: &[(&str, &str)],
    ) -> Result<SignIn, SignInError> {
        let (state, verifier) = (random()?, random()?);
        let challenge = BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref());
        let mut url = format!("{}?", self.authorize_uri);
        let ours = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", redirect_uri),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in ours.iter().chain(parameters) {
            form::push(&mut url, name, value);
        }
        let redirect_uri = redirect_uri.into();
        Ok(SignIn { provider: self.clone(), redirect_uri, url, state, verifier })
    }

    /// The form that is to be sent to [`token_uri`](Self::token_uri) for new tokens in exchange for a refresh token.
    /// [`Tokens::read`] reads the reply.
    pub fn refresh_form(&self, refresh_token: &str) -> String {
        let mut body = String::new();
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("refresh_token", refresh_token),
        ];
        fields.iter().for_each(|(name, value)| form::push(&mut body, name, value));
        body
    }

    /// Asks the provider for new tokens in exchange for a refresh token: one request, to [`token_uri`](Self::token_uri) and
    /// nowhere else. A redirect is not followed.
    ///
    /// # Errors
    ///
    /// [`SignInError::Network`], [`Refused`](SignInError::Refused), [`Status`](SignInError::Status) or
    /// [`Reply`](SignInError::Reply).
    #[cfg(feature = "http")]
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, SignInError> {
        ask(&self.token_uri, self.refresh_form(refresh_token), &[refresh_token]).await
    }

    /// Address at which codes and refresh tokens are exchanged for tokens.
    pub fn token_uri(&self) -> &str {
        &self.token_uri
    }
}

/// Without secrets that its addresses may have.
impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("authorize_uri", &mask_uri(&self.authorize_uri))
            .field("token_uri", &mask_uri(&self.token_uri))
            .field("client_id", &self.client_id)
            .finish()
    }
}

/// 256 bits that nobody can guess, as text.
fn random() -> Result<String, SignInError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SignInError::NoRandomness)?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// An attempt at signing in. It is good once.
pub struct SignIn {
    provider: Provider,
    redirect_uri: Box<str>,
    url: String,
    state: String,
    verifier: String,
}

impl SignIn {
    /// The address to open in a browser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Takes the address at which the browser arrived afterwards, or what follows its question mark.
    ///
    /// # Errors
    ///
    /// - [`SignInError::Refused`]: the provider, or the person, said no.
    /// - [`SignInError::State`]: it answers another attempt.
    /// - [`SignInError::Nothing`]: it has no code.
    pub fn callback(self, url: &str) -> Result<Code, SignInError> {
        let query = query(url);
        // First, so that nobody else's refusal or code counts.
        let state = form::get(query, "state").ok_or(SignInError::Nothing { wanted: "`state`" })?;
        if state != self.state {
            return Err(SignInError::State);
        }
        if let Some(refused) = refusal(query) {
            return Err(refused);
        }
        let code = form::get(query, "code").ok_or(SignInError::Nothing { wanted: "`code`" })?;
        let mut body = String::new();
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", &*self.provider.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("code", &code),
            ("code_verifier", &self.verifier),
        ];
        fields.iter().for_each(|(name, value)| form::push(&mut body, name, value));
        let secrets = [(&*code).into(), self.verifier.into()];
        Ok(Code { token_uri: self.provider.token_uri, form: body, secrets })
    }
}

/// Without its secrets.
impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// Code that a provider gives tokens for. It is good once, and for a minute or so.
pub struct Code {
    token_uri: Box<str>,
    form: String,
    /// Parts of the form that no error shows though the reply may quote them.
    #[cfg_attr(
        not(feature = "http"),
        expect(dead_code, reason = "whoever sends the form reads its reply")
    )]
    secrets: [Secret; 2],
}

impl Code {
    /// Address to which the [form](Self::form) is to be sent, by `POST`.
    pub fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// The body to send, of the type `application/x-www-form-urlencoded`. [`Tokens::read`] reads the reply.
    pub fn form(&self) -> &str {
        &self.form
    }

    /// Asks the provider for the tokens: one request, to [`token_uri`](Self::token_uri) and nowhere else. A redirect is not
    /// followed.
    ///
    /// # Errors
    ///
    /// [`SignInError::Network`], [`Refused`](SignInError::Refused), [`Status`](SignInError::Status) or
    /// [`Reply`](SignInError::Reply).
    #[cfg(feature = "http")]
    pub async fn exchange(self) -> Result<Tokens, SignInError> {
        let secrets = self.secrets.each_ref().map(Secret::expose);
        ask(&self.token_uri, self.form, &secrets).await
    }
}

/// Without its secrets.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("token_uri", &mask_uri(&self.token_uri))
            .finish_non_exhaustive()
    }
}

/// Sends a form, and reads the tokens of the reply. Nothing of `secrets` is in the error.
#[cfg(feature = "http")]
async fn ask(token_uri: &str, form: String, secrets: &[&str]) -> Result<Tokens, SignInError> {
    let reply = crate::http::post_form(token_uri, form).await.map_err(SignInError::Network)?;
    let hidden = |text: &str| {
        let hide_one = |text: String, secret: &&str| hide(&text, Some(secret)).into_owned();
        Box::from(secrets.iter().fold(text.to_owned(), hide_one))
    };
    match reply.status {
        200 => Tokens::read(&reply.body),
        // RFC 6749, section 5.2: a refusal has a body, a redirect has none that counts.
        status @ 400.. => {
            Err(refusal_of(&reply.body).unwrap_or(SignInError::Status { status, location: None }))
        }
        status => {
            let location = reply.location.map(|location| hidden(&mask_uri(&location)));
            Err(SignInError::Status { status, location })
        }
    }
    .map_err(|error| match error {
        SignInError::Refused { error, description } => {
            SignInError::Refused { error: hidden(&error), description: hidden(&description) }
        }
        error => error,
    })
}

/// Tokens that a provider gives.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Tokens {
    /// Says who the person is: what a SpacetimeDB server takes.
    pub id_token: Option<String>,
    /// For the provider's own services; what a server takes where there is no `id_token`, if it is a JWT.
    pub access_token: Option<String>,
    /// For new tokens when these have expired, if it was asked for and granted.
    pub refresh_token: Option<String>,
    /// For how many seconds the access token is good.
    expires_in: Option<u64>,
}

impl Tokens {
    /// Reads a provider's reply, whatever its status was.
    ///
    /// # Errors
    ///
    /// [`SignInError::Refused`] if it says no, and [`Reply`](SignInError::Reply) if it is none.
    pub fn read(reply: &[u8]) -> Result<Self, SignInError> {
        if let Some(refused) = refusal_of(reply) {
            return Err(refused);
        }
        let tokens: Self =
            serde_json::from_slice(reply).map_err(|source| SignInError::Reply(source.into()))?;
        match tokens.token().map(check_token) {
            None => Err(SignInError::Reply("it has no token".into())),
            Some(Err(error)) => Err(SignInError::Reply(error.into())),
            Some(Ok(())) => Ok(tokens),
        }
    }

    /// Token to present to a server: the `id_token`, else the `access_token`.
    pub fn token(&self) -> Option<&str> {
        self.id_token.as_deref().or(self.access_token.as_deref())
    }

    /// For how long the access token is good, from the reply on.
    pub fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }
}

/// What a reply refuses with, if it refuses.
fn refusal_of(reply: &[u8]) -> Option<SignInError> {
    #[derive(Deserialize)]
    struct Refusal {
        error: Box<str>,
        #[serde(default)]
        error_description: Box<str>,
    }
    let Refusal { error, error_description } = serde_json::from_slice(reply).ok()?;
    Some(SignInError::Refused { error, description: error_description })
}

/// Without the tokens.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("has_id_token", &self.id_token.is_some())
            .field("has_access_token", &self.access_token.is_some())
            .field("has_refresh_token", &self.refresh_token.is_some())
            .field("expires_in", &self.expires_in)
            .finish()
    }
}

/// The token in the address of a callback, where a provider gives it there and not by a code: as `token`, `id_token`
/// or `access_token`, after a question mark or a hash.
///
/// ```
/// use lightlike::auth::token_in_callback;
///
/// assert_eq!(token_in_callback("app://callback?token=abc")?, "abc");
/// assert_eq!(token_in_callback("https://app/callback#id_token=abc&state=x")?, "abc");
/// assert!(token_in_callback("app://callback?error=access_denied").is_err());
/// # Ok::<(), lightlike::auth::SignInError>(())
/// ```
///
/// # Errors
///
/// [`SignInError::Refused`] if the provider said no, [`Nothing`](SignInError::Nothing) if there is no token, and
/// [`Token`](SignInError::Token) if what is there cannot be one.
pub fn token_in_callback(url: &str) -> Result<String, SignInError> {
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let parts = [query(rest), fragment];
    for name in ["token", "id_token", "access_token"] {
        if let Some(token) = parts.iter().find_map(|part| form::get(part, name)) {
            check_token(&token)?;
            return Ok(token.into_owned());
        }
    }
    let refused = parts.iter().find_map(|part| refusal(part));
    Err(refused.unwrap_or(SignInError::Nothing { wanted: "token" }))
}

/// Query of an address: after the question mark, up to the hash.
fn query(url: &str) -> &str {
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    url.split_once('?').map_or(url, |(_, query)| query)
}

fn refusal(form: &str) -> Option<SignInError> {
    let error = form::get(form, "error")?;
    let description = form::get(form, "error_description").unwrap_or_default();
    Some(SignInError::Refused { error: (&*error).into(), description: (&*description).into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> SignIn {
        Provider::spacetime_auth("client_1").sign_in("http://127.0.0.1:8400/callback").unwrap()
    }

    #[test]
    fn sign_in_address_uses_pkce() {
        let sign_in = begun();
        let (base, query) = sign_in.url().split_once('?').unwrap();
        assert_eq!(base, "https://auth.spacetimedb.com/oidc/auth");
        let get = |name| form::get(query, name).unwrap().into_owned();
        assert_eq!(get("response_type"), "code");
        assert_eq!(get("client_id"), "client_1");
        assert_eq!(get("redirect_uri"), "http://127.0.0.1:8400/callback");
        assert_eq!(get("scope"), "openid profile email");
        assert_eq!(get("code_challenge_method"), "S256");
        assert!(!sign_in.url().contains(&sign_in.verifier));
        assert_ne!(begun().state, sign_in.state);
        // RFC 7636, appendix B.
        let hash = digest(&SHA256, b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let challenge = BASE64URL_NOPAD.encode(hash.as_ref());
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_callback_becomes_the_form_for_tokens() {
        let sign_in = begun();
        let verifier = sign_in.verifier.clone();
        let url = format!("http://127.0.0.1:8400/callback?code=a%2Fb&state={}#x", sign_in.state);
        let code = sign_in.callback(&url).unwrap();
        assert_eq!(code.token_uri(), "https://auth.spacetimedb.com/oidc/token");
        assert_eq!(form::get(code.form(), "code").as_deref(), Some("a/b"));
        assert_eq!(form::get(code.form(), "code_verifier").as_deref(), Some(&*verifier));
        assert_eq!(form::get(code.form(), "grant_type").as_deref(), Some("authorization_code"));
        assert!(!format!("{code:?}").contains(&verifier));
    }

    #[test]
    fn a_callback_of_another_attempt_does_not_count() {
        let state = begun().state;
        for query in [format!("code=a&state={state}"), format!("error=access_denied&state={state}")]
        {
            assert!(matches!(begun().callback(&query), Err(SignInError::State)), "{query}");
        }
        for url in ["http://127.0.0.1:8400/callback", "code=a", ""] {
            let nothing = begun().callback(url).unwrap_err();
            assert!(matches!(nothing, SignInError::Nothing { .. }), "{url}: {nothing}");
        }
    }

    #[test]
    fn a_refusal_has_the_providers_words() {
        let sign_in = begun();
        let query =
            format!("error=access_denied&error_description=not+you&state={}", sign_in.state);
        let error = sign_in.callback(&query).unwrap_err();
        assert_eq!(error.to_string(), "the provider refused: access_denied: not you");
        let error = Tokens::read(br#"{"error":"invalid_grant"}"#).unwrap_err();
        assert!(matches!(error, SignInError::Refused { .. }), "{error}");
    }

    #[test]
    fn tokens_are_read_and_not_shown() {
        let reply = br#"{"id_token":"secret","access_token":"opaque","expires_in":3600,"token_type":"Bearer"}"#;
        let tokens = Tokens::read(reply).unwrap();
        assert_eq!(tokens.token(), Some("secret"));
        assert_eq!(tokens.expires_in(), Some(Duration::from_secs(3600)));
        assert!(!format!("{tokens:?}").contains("secret"));
        assert_eq!(Tokens::read(br#"{"access_token":"a"}"#).unwrap().token(), Some("a"));
        for reply in [&b"{}"[..], b"<html>", b"", b"[]"] {
            assert!(matches!(Tokens::read(reply), Err(SignInError::Reply(_))));
        }
    }

    #[test]
    fn a_provider_has_addresses() {
        assert!(Provider::new("https://a/authorize", "https://a/token", "c").is_ok());
        assert!(matches!(
            Provider::new("ftp://a", "https://a/token", "c"),
            Err(SignInError::Uri(_))
        ));
    }
}
