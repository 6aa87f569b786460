//! Tokens: who signs them, who they stand for.

use anyhow::Context as _;
use spacetimedb::auth::identity::{ConnectionAuthCtx, SpacetimeIdentityClaims};
use spacetimedb::auth::token_validation::{TokenSigner as _, TokenValidator as _};
use spacetimedb::auth::{EcKeyPair, JwtKeys};
use spacetimedb_lib::Identity;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The issuer of this server's tokens.
const ISSUER: &str = "localhost";

/// The life of a token that travels in a URL.
const SHORT: Duration = Duration::from_secs(60);

/// Caller of a request, and the token that proves it.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) token: String,
    claims: SpacetimeIdentityClaims,
}

impl Caller {
    /// The form that modules are told.
    pub(crate) fn connection_auth(&self) -> anyhow::Result<ConnectionAuthCtx> {
        self.claims.clone().try_into()
    }
}

/// The server's key pair.
pub(crate) struct Keys(JwtKeys);

impl Keys {
    /// Reads the pair that the folder holds, or makes one and keeps it there. Without a folder it lives as long as the process.
    pub(crate) fn open(folder: Option<&Path>) -> anyhow::Result<Self> {
        let Some(folder) = folder else { return Ok(Self(JwtKeys::generate()?)) };
        let (public, private) = (folder.join("public.pem"), folder.join("private.pem"));
        if private.exists() {
            let read = |path: &Path| {
                fs::read(path).with_context(|| format!("cannot read the key {}", path.display()))
            };
            return Ok(Self(JwtKeys::new(read(&public)?, read(&private)?)?));
        }
        let pair = EcKeyPair::generate()?;
        fs::write(&public, &pair.public_key_bytes)?;
        fs::write(&private, &pair.private_key_bytes)?;
        Ok(Self(pair.try_into()?))
    }

    /// The public key, as PEM.
    pub(crate) fn public_pem(&self) -> Vec<u8> {
        self.0.public_pem.to_vec()
    }

    /// Signer of calls of one module to another.
    pub(crate) fn signer(&self) -> JwtKeys {
        self.0.clone()
    }

    /// Somebody new.
    pub(crate) fn mint(&self) -> anyhow::Result<Caller> {
        let subject = format!("{:032x}", super::fresh_u128());
        self.sign(SpacetimeIdentityClaims {
            identity: Identity::from_claims(ISSUER, &subject),
            subject: subject.into(),
            issuer: ISSUER.into(),
            audience: ["spacetimedb".into()].into(),
            iat: SystemTime::now(),
            exp: None,
            extra: None,
        })
    }

    /// The same caller with a token for the next minute.
    pub(crate) fn shorten(&self, caller: &Caller) -> anyhow::Result<Caller> {
        let now = SystemTime::now();
        self.sign(SpacetimeIdentityClaims {
            iat: now,
            exp: Some(now + SHORT),
            ..caller.claims.clone()
        })
    }

    fn sign(&self, claims: SpacetimeIdentityClaims) -> anyhow::Result<Caller> {
        let token = self.0.sign(&claims)?;
        Ok(Caller { identity: claims.identity, token, claims })
    }

    /// Checks a token: its caller, or the reason for which it does not count, in the server's words.
    pub(crate) async fn validate(&self, token: &str) -> Result<Caller, String> {
        match self.0.public.validate_token(token).await {
            Ok(claims) => Ok(Caller { identity: claims.identity, token: token.to_owned(), claims }),
            Err(error) => Err(error.to_string()),
        }
    }
}
