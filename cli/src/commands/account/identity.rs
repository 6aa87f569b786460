//! `lightlike identity`.

use std::io::Write as _;

use lightlike::types::Identity;
use serde::Deserialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::terminal::{data, line, stdout};

const EXAMPLES: &str = "\
Examples:
  lightlike identity                                  who you are, and your databases
  lightlike identity --json                           the same for a program
  lightlike identity --show-token                     the token, to log in elsewhere";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print the token. Whoever has it is you.
    #[arg(long, conflicts_with = "json")]
    show_token: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let Some(token) = &context.token else { return Err(context.nobody()) };
    let mut out = data();
    if args.show_token {
        return Ok(out.text(token)?);
    }
    let http = context.http();
    http.ping().await.map_err(context.refused("say who you are"))?;
    let Some(identity) = identity_of(token) else {
        return Err(Failure::new(Exit::Content, "the token does not say whose it is"));
    };
    let mut databases = Vec::new();
    // Not every server keeps a list.
    for database in http.databases(identity).await.unwrap_or_default() {
        databases.push((database, http.names(&database.to_hex()).await.unwrap_or_default()));
    }
    if args.json {
        let databases: Vec<_> = databases
            .iter()
            .map(|(database, names)| serde_json::json!({"identity": database.to_hex(), "names": names}))
            .collect();
        let all = serde_json::json!({"identity": identity.to_hex(), "server": context.server, "databases": databases});
        return Ok(out.json(&all.to_string())?);
    }
    let mut out = stdout();
    writeln!(out, "{}", identity.to_hex())?;
    for (database, names) in databases {
        writeln!(out, "  {}  {}", database.to_hex(), line(&names.join(", ")))?;
    }
    Ok(())
}

/// Reads the identity that a token claims, from the middle of its three parts.
pub(crate) fn identity_of(token: &str) -> Option<Identity> {
    #[derive(Deserialize)]
    struct Claims {
        hex_identity: String,
    }
    let claims = base64(token.split('.').nth(1)?)?;
    let Claims { hex_identity } = serde_json::from_slice(&claims).ok()?;
    Identity::from_hex(&hex_identity).ok()
}

/// Base64 in the alphabet for URLs, without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        Some(u32::from(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        }))
    };
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let group = chunk.iter().try_fold(0, |group, byte| Some(group << 6 | digit(*byte)?))?;
        let group = group << (6 * (4 - chunk.len()));
        bytes.extend_from_slice(&group.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        for (text, want) in
            [("", ""), ("Zg", "f"), ("Zm8", "fo"), ("Zm9v", "foo"), ("Zm9vYmE", "fooba")]
        {
            assert_eq!(base64(text).as_deref(), Some(want.as_bytes()), "{text}");
        }
        assert_eq!(base64("-_8"), Some(vec![0xfb, 0xff]));
        assert_eq!(base64("Zm9v!"), None);
        assert_eq!(base64("Z"), Some(Vec::new()));
    }

    #[test]
    fn a_token_that_is_none_is_nobodys() {
        for token in ["", "a", "a.b.c", "..", "a.e30.c"] {
            assert_eq!(identity_of(token), None, "{token}");
        }
    }
}
