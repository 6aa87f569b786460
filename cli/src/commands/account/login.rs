//! `lightlike login` and `lightlike logout`.

use lightlike::auth::{TokenFileError, TokenStore as _};

use super::identity::identity_of;
use crate::context::{Context, store};
use crate::failure::{Exit, Failure};
use crate::terminal::data;

const EXAMPLES: &str = "\
The token is kept where `FileTokens` of the library keeps its own: a program with \
`FileTokens::new(\"127.0.0.1:3000\")` is the same user, and `--as NAME` makes you the user that a program with \
`FileTokens::new(\"NAME\")` is. What is kept and cannot be a token is replaced.

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
    if !args.force {
        check_nobody_is_kept(context)?;
    }
    let http = context.http();
    let (identity, token) = match &context.token {
        None => {
            let account = http.without_token().create_identity().await;
            let account = account.map_err(context.refused("make an identity"))?;
            (Some(account.identity), account.token)
        }
        Some(token) => {
            context.warn_of_plain_text()?;
            http.with_token(token).ping().await.map_err(context.refused("log in"))?;
            (identity_of(token), token.clone())
        }
    };
    context.tokens.save(&token).map_err(|error| store("keep", &*error))?;
    let who =
        identity.map_or_else(|| "the token's identity".to_owned(), |identity| identity.to_hex());
    data().text(&who)?;
    context.note(format_args!(
        "logged in at {}; the token is in {}",
        context.server,
        context.tokens.path().display()
    ));
    Ok(())
}

/// Fails if a token is kept that would be lost. One that is damaged is lost already.
fn check_nobody_is_kept(context: &Context) -> Result<(), Failure> {
    match context.tokens.load() {
        Ok(None) => Ok(()),
        Ok(Some(_)) => {
            let message = format!("somebody is logged in {} already", context.place());
            Err(Failure::new(Exit::Refused, message)
                .tip("`lightlike identity` shows who, `--force` replaces the token that is kept"))
        }
        Err(error) => match error.downcast_ref::<TokenFileError>() {
            Some(damaged) if damaged.is_damaged() => {
                context.note(format_args!("{damaged}: it is replaced"));
                Ok(())
            }
            _ => Err(store("read", &*error).tip("`--force` replaces it")),
        },
    }
}

pub(crate) fn logout(context: &Context) -> Result<(), Failure> {
    // Whatever is in it: it is not read.
    let is_kept = std::fs::symlink_metadata(context.tokens.path()).is_ok();
    context.tokens.clear().map_err(|error| store("forget", &*error))?;
    match (&context.global.name, is_kept) {
        (None, true) => context.note(format_args!("logged out of {}", context.server)),
        (Some(name), true) => context.note(format_args!("logged out as `{name}`")),
        (_, false) => context.note(format_args!("nobody was logged in {}", context.place())),
    }
    Ok(())
}
