//! Lists how two releases of the server's published crates differ for a client.

mod changes;
mod items;
mod release;
mod topics;

use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::release::Release;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what| {
        arguments.next().with_context(|| format!("usage: OLD NEW [TOPIC]; {what} is missing"))
    };
    let (old, new) = (next("OLD")?, next("NEW")?);
    let wanted = arguments.next();
    let topics: Vec<_> = topics::ALL
        .iter()
        .filter(|topic| wanted.as_deref().is_none_or(|wanted| wanted == topic.name))
        .collect();
    if topics.is_empty() {
        let names: Vec<_> = topics::ALL.iter().map(|topic| topic.name).collect();
        bail!("no topic is called {}; there are {}", wanted.unwrap_or_default(), names.join(", "));
    }
    let (old, new) = (Release::fetch(&old)?, Release::fetch(&new)?);
    for topic in topics {
        let (before, after) = (topic.items(&old)?, topic.items(&new)?);
        println!("# {}: {}", topic.name, topic.about);
        let lines = changes::between(&before, &after);
        println!("{} items, {} changed\n", after.len(), lines.len());
        lines.iter().for_each(|line| println!("{line}"));
        println!();
    }
    Ok(())
}
