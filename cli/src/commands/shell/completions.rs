//! `lightlike completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Failure;
use crate::terminal::data;

const EXAMPLES: &str = "\
Examples:
  lightlike completions bash > ~/.local/share/bash-completion/completions/lightlike
  lightlike completions zsh > ~/.zfunc/_lightlike
  lightlike completions fish > ~/.config/fish/completions/lightlike.fish";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Shell to write completions for.
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lightlike", &mut script);
    Ok(data().own(&script)?)
}
