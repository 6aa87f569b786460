//! Bytes of which nothing is known, for people.

use core::fmt;

use super::from_slice;

/// How many bytes are shown of what is no text.
const SHOWN_BYTES: usize = 32;

/// A value whose type is not known: the text, if the bytes are the encoding of one, as most errors are; else the bytes in
/// hex, the first of many.
#[derive(Debug, Clone, Copy)]
pub struct Readable<'b>(pub &'b [u8]);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match from_slice::<&str>(self.0) {
            Ok(text) => f.write_str(text),
            Err(_) if self.0.is_empty() => f.write_str("nothing"),
            Err(_) => {
                let shown = &self.0[..self.0.len().min(SHOWN_BYTES)];
                f.write_str("0x")?;
                shown.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                match self.0.len() - shown.len() {
                    0 => Ok(()),
                    more => write!(f, ".. and {more} bytes more"),
                }
            }
        }
    }
}

/// A reducer's refusal, from the BSATN of its error.
pub(crate) struct Refusal<'b>(pub(crate) &'b [u8]);

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // An error without a value, such as `()`.
            [] => f.write_str("the reducer refused"),
            error => write!(f, "the reducer refused: {}", Readable(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bsatn::to_vec;

    #[test]
    fn text_is_verbatim_and_bytes_are_hex() {
        let shown = |bytes: &[u8]| Readable(bytes).to_string();
        assert_eq!(shown(&to_vec("too long").unwrap()), "too long");
        assert_eq!(shown(&to_vec(&7_u32).unwrap()), "0x07000000");
        assert_eq!(shown(&[]), "nothing");
        assert_eq!(shown(&[255; 40]), format!("0x{}.. and 8 bytes more", "ff".repeat(32)));
        assert_eq!(Refusal(&[]).to_string(), "the reducer refused");
    }
}
