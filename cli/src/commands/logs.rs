//! `lightlike logs`.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use lightlike::http::{LogLevel, LogLine, LogOptions};
use serde_json::json;

use super::interrupted;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::style::{CHANGED, DIM, ERROR};
use crate::project::HERE;
use crate::terminal::{Data, data, line as printable, stdout};

const EXAMPLES: &str = "\
Examples:
  lightlike logs chat                                 the last 100 lines
  lightlike logs chat -f                              and those to come, until Ctrl-C
  lightlike logs chat -n 1000 --level warn            the serious ones
  lightlike logs chat -f --json | jq .message         one JSON object a line";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database: its name, or its identity in hex; `.` is that of spacetime.json.
    #[arg(default_value = HERE)]
    pub(super) database: String,
    /// Go on with what is logged later.
    #[arg(long, short)]
    follow: bool,
    /// Number of last lines to show.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    lines: u32,
    /// Leave out what is less serious.
    #[arg(long, value_name = "LEVEL", default_value = "trace")]
    level: Level,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    fn shows(self, level: LogLevel) -> bool {
        level
            >= match self {
                Self::Trace => LogLevel::Trace,
                Self::Debug => LogLevel::Debug,
                Self::Info => LogLevel::Info,
                Self::Warn => LogLevel::Warn,
                Self::Error => LogLevel::Error,
            }
    }
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let what = format!("read the log of `{}`", args.database);
    let options = LogOptions::default().lines(args.lines).follow(args.follow);
    let lines = context.http().logs(&args.database, options).await;
    let mut lines = lines.map_err(context.refused(&what))?;
    let (mut out, mut json) = (stdout(), data());
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            () = interrupted() => return Ok(()),
        };
        match line {
            None => return Ok(()),
            Some(Err(error)) => return Err(context.refused(&what)(error)),
            Some(Ok(line)) if !args.level.shows(line.level) => (),
            Some(Ok(line)) if args.json => write_json(&mut json, &line)?,
            Some(Ok(line)) => write_line(&mut out, &line)?,
        }
        out.flush()?;
        json.flush()?;
    }
}

fn write_json(out: &mut Data<impl Write>, line: &LogLine) -> std::io::Result<()> {
    let object = json!({
        "timestamp": line.timestamp.to_string(),
        "level": line.level.to_string(),
        "message": line.message,
        "target": line.target,
        "function": line.function,
        "file": line.filename,
        "line": line.line_number,
    });
    out.json(&object.to_string())
}

fn write_line(out: &mut impl Write, line: &LogLine) -> std::io::Result<()> {
    let LogLine { level, timestamp, message, .. } = line;
    let style = match level {
        LogLevel::Error | LogLevel::Panic => ERROR,
        LogLevel::Warn => CHANGED,
        LogLevel::Info => AnsiColor::Green.on_default(),
        _ => Style::new().dimmed(),
    };
    let place = line.function.as_deref().or(line.target.as_deref()).unwrap_or_default();
    let gap = if place.is_empty() { "" } else { " " };
    let place = printable(place);
    write!(out, "{DIM}{timestamp}{DIM:#} {style}{level:5}{style:#}{gap}{DIM}{place}{DIM:#}")?;
    let message = message.trim_end();
    // A backtrace has its own lines.
    let mut rest = message.lines().map(printable);
    writeln!(out, " {}", rest.next().unwrap_or_default())?;
    rest.try_for_each(|more| writeln!(out, "    {more}"))
}
