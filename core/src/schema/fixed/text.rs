//! Text that is put together while a program is compiled.

/// Maximal length in bytes: what is longer ends in dots.
const CAPACITY: usize = 1024;

/// A text that grows.
pub(super) struct Text {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Text {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; CAPACITY], len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn truncate(&mut self, len: usize) {
        self.len = len;
    }

    pub(super) const fn push(&mut self, text: &str) {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() {
            if self.len == CAPACITY {
                // Dots are one byte each, and so is what they stand for where names are of ASCII; where not, the text
                // is cut at a character below.
                self.bytes[CAPACITY - 1] = b'.';
                self.bytes[CAPACITY - 2] = b'.';
                return;
            }
            self.bytes[self.len] = text[at];
            self.len += 1;
            at += 1;
        }
    }

    pub(super) const fn number(&mut self, number: usize) {
        const DIGITS: &str = "0123456789";
        if number >= 10 {
            self.number(number / 10);
        }
        self.push(DIGITS.split_at(number % 10).1.split_at(1).0);
    }

    pub(super) const fn as_str(&self) -> &str {
        let (written, _) = self.bytes.split_at(self.len);
        match core::str::from_utf8(written) {
            Ok(text) => text,
            Err(error) => match core::str::from_utf8(written.split_at(error.valid_up_to()).0) {
                Ok(text) => text,
                Err(_) => "",
            },
        }
    }
}
