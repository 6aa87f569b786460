//! Frames of servers.

use std::cell::RefCell;

use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::wire::{FrameOpener, open_frame};

/// Small, so that a run that decompresses up to it is short.
pub(crate) const MAX_MESSAGE_BYTES: usize = 1 << 20;

thread_local! {
    /// Has seen every input before.
    static USED: RefCell<FrameOpener> = const { RefCell::new(FrameOpener::new()) };
}

/// Any frame opens or is an error, within the limit, and whatever was opened before.
pub(crate) fn target(input: &[u8]) {
    let limits = {
        let mut limits = Limits::default();
        limits.max_message_bytes = MAX_MESSAGE_BYTES;
        limits
    };
    let frame = Bytes::copy_from_slice(input);
    let opened = open_frame(frame.clone(), &limits);
    if let Ok(body) = &opened {
        assert!(body.len() <= limits.max_message_bytes, "a body of {} bytes", body.len());
    }
    let again = USED.with_borrow_mut(|opener| opener.open(frame, &limits));
    assert_eq!(again, opened, "what came before shows");
}
