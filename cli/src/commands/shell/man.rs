//! `lightlike man`.

use std::fs;
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::args::Cli;
use crate::failure::Failure;
use crate::terminal::data;

const EXAMPLES: &str = "\
Examples:
  lightlike man | man -l -                             read it now
  lightlike man ~/.local/share/man/man1                a page for each command";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder to write a page a command to. Without one, the page of `lightlike` itself is printed.
    folder: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let page = |command: clap::Command| {
        let mut page = Vec::new();
        Man::new(command).render(&mut page).map(|()| page)
    };
    let Some(folder) = &args.folder else { return Ok(data().own(&page(command)?)?) };
    fs::create_dir_all(folder).map_err(|error| Failure::file("make", folder, &error))?;
    let subcommands = command.get_subcommands().filter(|command| command.get_name() != "help");
    let mut pages: Vec<_> = subcommands
        .cloned()
        .map(|subcommand| {
            let name = format!("lightlike-{}", subcommand.get_name());
            (name.clone(), subcommand.display_name(name))
        })
        .collect();
    pages.push(("lightlike".to_owned(), command));
    for (name, command) in pages {
        let file = folder.join(format!("{name}.1"));
        fs::write(&file, page(command)?).map_err(|error| Failure::file("write", &file, &error))?;
    }
    Ok(())
}
