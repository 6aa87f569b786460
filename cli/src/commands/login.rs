//! `lightlike login` and `lightlike logout`.

use std::io::{Read as _, Write as _};

use lightlike::TokenStore as _;

use super::identity::identity_of;
use crate::context::{Context, store};
use crate::failure::{Exit, Failure};
use crate::output::stdout;

const EXAMPLES: &str = "\
The token is kept where `FileTokens` of the library keeps its own: a program with \
`FileTokens::new(\"127.0.0.1:3000\")` is the same user, and `--as NAME` makes you the user that a program with \
`FileTokens::new(\"NAME\")` is.

Examples:
  lightlike login                                     a new identity
  lightlike login --token eyJ0eXAi..                  one that you have
  pass spacetimedb | lightlike login --token -        from standard input
  lightlike -s maincloud login --token -              at another server";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LoginArgs {
    /// Go on though somebody is logged in. Their token is lost, unless it is kept elsewhere.
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(context: &Context, args: LoginArgs) -> Result<(), Failure> {
    let kept = context.tokens.load().map_err(|error| store("read", &*error))?;
    if kept.is_some() && !args.force {
        let message = format!("somebody is logged in at {} already", context.server);
        return Err(Failure::new(Exit::Refused, message)
            .tip("`lightlike identity` shows who, `--force` replaces the token that is kept"));
    }
    let http = context.http();
    let (identity, token) = match &context.global.token {
        None => {
            let account = http.without_token().create_identity().await;
            let account = account.map_err(context.refused("make an identity"))?;
            (Some(account.identity), account.token)
        }
        Some(token) => {
            let token = if token == "-" { from_stdin()? } else { token.trim().to_owned() };
            let http = http.with_token(&token);
            http.ping().await.map_err(context.refused("log in"))?;
            (identity_of(&token), token)
        }
    };
    context.tokens.save(&token).map_err(|error| store("keep", &*error))?;
    let who =
        identity.map_or_else(|| "the token's identity".to_owned(), |identity| identity.to_hex());
    writeln!(stdout(), "{who}")?;
    context.note(format_args!(
        "logged in at {}; the token is in {}",
        context.server,
        context.tokens.path().display()
    ));
    Ok(())
}

fn from_stdin() -> Result<String, Failure> {
    let mut token = String::new();
    let read = std::io::stdin().take(1 << 16).read_to_string(&mut token);
    read.map_err(|error| Failure::new(Exit::File, "cannot read the token").because(&error))?;
    match token.trim() {
        "" => Err(Failure::new(Exit::Usage, "there is no token on standard input")),
        token => Ok(token.to_owned()),
    }
}

pub(crate) fn logout(context: &Context) -> Result<(), Failure> {
    let kept = context.tokens.load().map_err(|error| store("read", &*error))?;
    context.tokens.clear().map_err(|error| store("forget", &*error))?;
    match kept {
        Some(_) => context.note(format_args!("logged out of {}", context.server)),
        None => context.note(format_args!("nobody was logged in at {}", context.server)),
    }
    Ok(())
}
