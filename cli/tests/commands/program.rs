//! Running the program.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A user of the program, with a home of its own.
pub(crate) struct User {
    home: TempDir,
    pub(crate) server: String,
}

/// Result of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl User {
    /// Somebody at a server.
    pub(crate) fn at(server: &str) -> Self {
        Self { home: tempfile::tempdir().unwrap(), server: server.to_owned() }
    }

    /// Somebody whose server is not there.
    pub(crate) fn alone() -> Self {
        Self::at("http://127.0.0.1:1")
    }

    /// A folder of the user's.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lightlike"));
        command.args(args).current_dir(self.home());
        let others = ["LIGHTLIKE_TOKEN", "LIGHTLIKE_AS", "LIGHTLIKE_OVERLAY"];
        for variable in others.into_iter().chain(["NO_COLOR", "CLICOLOR_FORCE"]) {
            command.env_remove(variable);
        }
        command.env("LIGHTLIKE_SERVER", &self.server).env("XDG_DATA_HOME", self.home());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.command(args).output().unwrap().into()
    }

    /// Runs the program in a folder, where no variable names a server.
    pub(crate) fn run_in(&self, folder: &str, args: &[&str]) -> Run {
        let mut command = self.command(args);
        command.current_dir(self.home().join(folder)).env_remove("LIGHTLIKE_SERVER");
        command.output().unwrap().into()
    }

    /// Runs the program while something else happens.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Runs what has to succeed; what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}: {}", run.err);
        run.out
    }

    /// Runs what has to fail with a code; its one message.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, code, "{args:?}: {}{}", run.out, run.err);
        let messages = run.err.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(messages, 1, "{}", run.err);
        assert!(!run.err.contains("RUST_BACKTRACE"), "{}", run.err);
        run.err
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal ends it"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
