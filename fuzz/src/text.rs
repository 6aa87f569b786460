//! The text forms of the server's types.

use core::fmt::{Debug, Display};
use core::str::FromStr;

use lightlike_core::types::{ConnectionId, Identity, ScheduleAt, TimeDuration, Timestamp, Uuid};

/// Any text parses or is an error; what parses prints as something that parses as the same.
pub(crate) fn target(input: &[u8]) {
    let Ok(text) = core::str::from_utf8(input) else { return };
    check::<Identity>(text);
    check::<ConnectionId>(text);
    check::<Timestamp>(text);
    check::<TimeDuration>(text);
    check::<ScheduleAt>(text);
    check::<Uuid>(text);
}

fn check<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    let Ok(value) = text.parse::<T>() else { return };
    assert_eq!(value.to_string().parse::<T>().ok(), Some(value), "from {text:?}");
}
