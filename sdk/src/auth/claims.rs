//! Claims of a token.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use lightlike_core::types::{Identity, Timestamp};
use lightlike_core::whole::Whole;
use serde::{Deserialize, Deserializer};

/// Claims of a token, as far as it has them. **Nothing of it is verified**: that is the server's to do. It is good for
/// showing, and for knowing when a token ends.
///
/// # Source
///
/// RFC 7519, section 4.1; `hex_identity` is SpacetimeDB's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Claims {
    /// `iss`: who made it.
    pub issuer: Option<String>,
    /// `sub`: whom it stands for, at its issuer. Issuer and subject together make the identity.
    pub subject: Option<String>,
    /// `aud`: whom it is for.
    pub audience: Vec<String>,
    /// `iat`: when it was made.
    pub issued_at: Option<Timestamp>,
    /// `exp`: when it ends; none if it never does, which tokens say by leaving it out or by `null`. Servers accept a token for
    /// a minute longer.
    pub expires_at: Option<Timestamp>,
    /// `hex_identity`: the identity, in tokens that a SpacetimeDB server made.
    pub identity: Option<Identity>,
}

/// A token is none that claims anything.
#[derive(Debug)]
#[non_exhaustive]
pub enum InvalidClaims {
    /// It does not have three parts between dots.
    Shape,
    /// Its second part is not base64.
    Base64(Box<dyn std::error::Error + Send + Sync>),
    /// Its second part is not JSON, or a claim is not of its type.
    Json(Box<dyn std::error::Error + Send + Sync>),
}

/// The token is a secret, so it is not shown.
impl fmt::Display for InvalidClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape => {
                f.write_str("the token is no JWT: that is three parts with a dot between each two")
            }
            Self::Base64(why) => write!(f, "the token's claims are not base64: {}", Whole(&**why)),
            Self::Json(why) => write!(
                f,
                "the token's claims are not the JSON that they should be: {}",
                Whole(&**why)
            ),
        }
    }
}

impl std::error::Error for InvalidClaims {}

#[derive(Deserialize)]
struct Payload {
    iss: Option<String>,
    sub: Option<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    aud: Vec<String>,
    iat: Option<f64>,
    exp: Option<f64>,
    hex_identity: Option<String>,
}

impl Claims {
    /// Reads a token's claims.
    ///
    /// ```
    /// use lightlike::auth::Claims;
    ///
    /// let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJsb2NhbGhvc3QiLCJleHAiOjE3MDAwMDAwMDB9.c2ln";
    /// let claims = Claims::read(token)?;
    /// assert_eq!(claims.issuer.as_deref(), Some("localhost"));
    /// assert_eq!(claims.expires_at.unwrap().to_string(), "2023-11-14T22:13:20+00:00");
    /// # Ok::<(), lightlike::auth::InvalidClaims>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidClaims`] if it is not a JWT.
    pub fn read(token: &str) -> Result<Self, InvalidClaims> {
        let mut parts = token.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidClaims::Shape);
        };
        let json = BASE64URL_NOPAD.decode(payload.trim_end_matches('=').as_bytes());
        let json = json.map_err(|source| InvalidClaims::Base64(source.into()))?;
        let payload: Payload =
            serde_json::from_slice(&json).map_err(|source| InvalidClaims::Json(source.into()))?;
        Ok(Self {
            issuer: payload.iss,
            subject: payload.sub,
            audience: payload.aud,
            issued_at: payload.iat.and_then(timestamp),
            expires_at: payload.exp.and_then(timestamp),
            identity: payload.hex_identity.and_then(|hex| Identity::from_hex(&hex).ok()),
        })
    }
}

/// Seconds since 1970, perhaps with a fraction; none where no timestamp is that far.
fn timestamp(seconds: f64) -> Option<Timestamp> {
    let micros = seconds * 1e6;
    // A float becomes the nearest integer there is, so that only the ends are in doubt.
    (micros.abs() < i64::MAX as f64).then(|| Timestamp::from_micros(micros as i64))
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
        None,
    }
    Ok(match Audience::deserialize(deserializer)? {
        Audience::One(one) => vec![one],
        Audience::Many(many) => many,
        Audience::None => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.as_bytes()))
    }

    #[test]
    fn claims_read_in_every_form() {
        let text = r#"{"iss":"i","sub":"s","aud":["a","b"],"iat":1.5,"exp":2,"x":[{}]}"#;
        let claims = Claims::read(&token(text)).unwrap();
        assert_eq!((claims.issuer.as_deref(), claims.subject.as_deref()), (Some("i"), Some("s")));
        assert_eq!(claims.audience, ["a", "b"]);
        assert_eq!(claims.issued_at, Some(Timestamp::from_micros(1_500_000)));
        assert_eq!(claims.expires_at, Some(Timestamp::from_micros(2_000_000)));
        assert_eq!(Claims::read(&token(r#"{"aud":"a"}"#)).unwrap().audience, ["a"]);
        let nothing = [r"{}", r#"{"aud":null,"exp":null,"hex_identity":"no"}"#, r#"{"exp":1e300}"#];
        for claims in nothing {
            assert_eq!(Claims::read(&token(claims)).unwrap(), Claims::default(), "{claims}");
        }
    }

    #[test]
    fn invalid_token_is_reported_and_not_shown() {
        let cases = ["", "secret", "a.secret", "a.b.c.secret", "a.!secret!.c", "a.c2VjcmV0.c"];
        for text in cases {
            let error = Claims::read(text).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(matches!(Claims::read(&token(r#"{"exp":"soon"}"#)), Err(InvalidClaims::Json(_))));
        assert!(matches!(Claims::read(&token("[1]")), Err(InvalidClaims::Json(_))));
    }
}
