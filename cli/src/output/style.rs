//! Colours by what they mean. Written to a stream that takes them out where nobody sees them.

use anstyle::{AnsiColor, Style};

/// A row that came.
pub(crate) const CAME: Style = AnsiColor::Green.on_default();
/// A row that left.
pub(crate) const LEFT: Style = AnsiColor::Red.on_default();
/// A row that was replaced.
pub(crate) const CHANGED: Style = AnsiColor::Yellow.on_default();
/// A name of the schema's.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
/// Style of secondary text.
pub(crate) const DIM: Style = Style::new().dimmed();
/// A heading.
pub(crate) const BOLD: Style = Style::new().bold();
/// That something is wrong.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Style of remedies.
pub(crate) const TIP: Style = AnsiColor::Green.on_default();
