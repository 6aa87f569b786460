//! Long work: a bar or a spinner on a terminal, nothing anywhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Interval between two turns of a spinner.
const TURN: Duration = Duration::from_millis(100);

/// Something that takes its time. It goes from the screen when it is dropped.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar over so many bytes.
    pub(crate) fn bytes(what: &str, total: u64, quiet: bool) -> Self {
        let style =
            ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}");
        let bar = Self::bar(ProgressBar::new(total), quiet);
        // The template is ours: if it were wrong, the default bar would do.
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━━─"));
        }
        bar.set_message(what.to_owned());
        Self(bar)
    }

    /// A spinner, for work of unknown length.
    pub(crate) fn spinner(what: &str, quiet: bool) -> Self {
        let bar = Self::bar(ProgressBar::new_spinner(), quiet);
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(TURN);
        Self(bar)
    }

    fn bar(bar: ProgressBar, quiet: bool) -> ProgressBar {
        // On standard error, and only if that is a terminal.
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        bar.set_draw_target(target);
        bar
    }

    /// So many bytes are done.
    pub(crate) fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// From now on a spinner: what is left has no measure.
    pub(crate) fn spin(&self, what: &str) {
        if let Ok(style) = ProgressStyle::with_template("{msg} {spinner} {elapsed}") {
            self.0.set_style(style);
        }
        self.0.set_message(what.to_owned());
        self.0.enable_steady_tick(TURN);
    }

    /// Takes it from the screen.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
