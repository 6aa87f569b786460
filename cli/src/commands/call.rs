//! `lightlike call`.

use std::time::Instant;

use lightlike::untyped::{Args as Arguments, UntypedValue};
use lightlike::{CallError, Client};

use crate::arguments::Function;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::terminal::data;

const EXAMPLES: &str = "\
Arguments are read by the types of the parameters: a text needs no quotes, an identity or a time no braces, an \
option is its value or `none`, a variant without a value its name, bytes are 0xdigits. Everything else is \
JSON, as is everything with `--json`. Each may be given as `name=value`, in any order, if all are.

What a function returns is printed as JSON. A reducer that refuses ends with code 1 and its own words.

Examples:
  lightlike call chat set_name Ada
  lightlike call chat send_message text=\"hello, you\"
  lightlike call game move_to '{\"x\": 1.0, \"y\": 2.5}' none
  lightlike call game spawn --json '{\"kind\": {\"Orc\": []}, \"count\": 3}'
  lightlike call bank add 1 2                          a procedure: prints 3";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database: its name, or its identity in hex; `.` is that of spacetime.json.
    pub(super) database: String,
    /// The reducer or procedure.
    function: String,
    /// Its arguments; a text that starts with a dash comes behind `--`.
    #[arg(allow_negative_numbers = true)]
    args: Vec<String>,
    /// All arguments as JSON: an array of them, or an object by name.
    #[arg(long, value_name = "JSON", conflicts_with_all = ["args", "raw"])]
    json: Option<String>,
    /// All arguments encoded already, in hex. The schema is not asked, and what comes back is printed in hex too.
    #[arg(long, value_name = "HEX", conflicts_with = "args")]
    raw: Option<String>,
    /// Treats the target of `--raw` as a procedure, and not as a reducer.
    #[arg(long, requires = "raw")]
    procedure: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    if let Some(hex) = &args.raw {
        let bytes = unhex(hex).ok_or_else(|| {
            Failure::new(Exit::Usage, format_args!("`{hex}` is not hex digits in pairs"))
        })?;
        let client = context.connect(&args.database).await?;
        return raw(context, &client, &args, bytes).await;
    }
    let schema = context.schema(&args.database).await?;
    let arguments = match (&args.json, Function::find(&schema, &args.function)) {
        (Some(json), _) => Arguments::json(json),
        (None, Some(function)) => function.args(&args.args)?,
        // The schema says what it has instead.
        (None, None) => Arguments::values([]),
    };
    let client = context.connect(&args.database).await?;
    let untyped = client.untyped(schema);
    let mut call = untyped.call(&args.function, arguments)?;
    if let Some(timeout) = context.global.timeout {
        call = call.timeout(timeout);
    }
    let start = Instant::now();
    let returned = call.await.map_err(refused)?;
    let took = start.elapsed();
    if !returned.is_unit() {
        data().json(&returned.to_json()?)?;
    }
    context.note(format_args!("{} is done, {:.1} ms", args.function, took.as_secs_f64() * 1e3));
    client.disconnect().await;
    Ok(())
}

/// A reducer's error is most often a text: without quotes then.
fn refused(error: CallError<UntypedValue>) -> Failure {
    match error {
        CallError::Rejected(why) => match why.text() {
            Some(text) => CallError::Rejected(text).into(),
            None => CallError::Rejected(why.to_json().unwrap_or_else(|_| why.to_string())).into(),
        },
        other => other.into(),
    }
}

async fn raw(
    context: &Context,
    client: &Client,
    args: &Args,
    bytes: Vec<u8>,
) -> Result<(), Failure> {
    let mut call = match args.procedure {
        true => client.call_procedure_raw(&args.function, bytes),
        false => client.call_raw(&args.function, bytes),
    };
    if let Some(timeout) = context.global.timeout {
        call = call.timeout(timeout);
    }
    let returned = call.await.map_err(|error| match error {
        CallError::Rejected(bytes) => Failure::from(CallError::Rejected(hex(&bytes))),
        CallError::Failed(why) => CallError::<String>::Failed(why).into(),
        other => Failure::new(Exit::Connection, "the call has no outcome").because(&other),
    })?;
    if !returned.is_empty() {
        data().text(&hex(&returned))?;
    }
    client.disconnect().await;
    Ok(())
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // A `String` takes whatever is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_in_pairs() {
        assert_eq!(unhex("0x00fF"), Some(vec![0, 255]));
        assert_eq!(unhex(""), Some(Vec::new()));
        assert_eq!(unhex("f"), None);
        assert_eq!(unhex("gg"), None);
        assert_eq!(hex(&[0, 255]), "00ff");
    }
}
