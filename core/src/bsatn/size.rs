//! Sizes of encodings, combined at compile time: what the derives and the tuples compute their
//! [`Decode::SIZE`](super::Decode::SIZE) with.

/// The size of a product: its fields' together, if each has one.
#[doc(hidden)]
pub const fn sum(fields: &[Option<usize>]) -> Option<usize> {
    let mut total = 0usize;
    let mut at = 0;
    while at < fields.len() {
        match fields[at] {
            Some(size) => match total.checked_add(size) {
                Some(sum) => total = sum,
                None => return None,
            },
            None => return None,
        }
        at += 1;
    }
    Some(total)
}

/// The size of a sum: the tag's and the payload's, if all payloads have the same.
#[doc(hidden)]
pub const fn variants(payloads: &[Option<usize>]) -> Option<usize> {
    if payloads.is_empty() {
        return None;
    }
    let mut at = 1;
    while at < payloads.len() {
        match (payloads[0], payloads[at]) {
            (Some(first), Some(size)) if first == size => at += 1,
            _ => return None,
        }
    }
    match payloads[0] {
        Some(payload) => payload.checked_add(1),
        None => None,
    }
}

/// The size of an array whose length its type says: the length's and the elements'.
pub(super) const fn array(element: Option<usize>, len: usize) -> Option<usize> {
    match element {
        Some(size) => match size.checked_mul(len) {
            Some(elements) => elements.checked_add(size_of::<u32>()),
            None => None,
        },
        None => None,
    }
}

/// Whether one of several types is [open](super::Decode::OPEN).
#[doc(hidden)]
pub const fn any(open: &[bool]) -> bool {
    let mut at = 0;
    while at < open.len() {
        if open[at] {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether a product with an open field can be told apart: all that stands behind it has a size that never changes.
#[doc(hidden)]
pub const fn ends(open: &[bool], sizes: &[Option<usize>]) -> bool {
    let mut at = 0;
    let mut behind_open = false;
    while at < open.len() {
        if behind_open && sizes[at].is_none() {
            return false;
        }
        behind_open = behind_open || open[at];
        at += 1;
    }
    true
}
