//! The text of an error together with what is behind it.
//!
//! An error of this library says all of it in its own `Display`: what happened, what the peer or the system said, what to do. What
//! is behind it is in its fields, and not its [`source`](core::error::Error::source) too, or whoever prints the chain would
//! print it twice. An error of another library is quoted through [`Whole`].

use core::error::Error;
use core::fmt;

/// Writes an error and what is behind it on one line, each text once.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'e>(pub &'e (dyn Error + 'e));

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            let text = error.to_string();
            // Many errors quote what is behind them.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Self>>,
    }

    fn chain(texts: &[&'static str]) -> Link {
        let rest = &texts[1..];
        let source = (!rest.is_empty()).then(|| Box::new(chain(rest)));
        Link { text: texts[0], source }
    }

    #[test]
    fn each_text_is_written_once() {
        let cases: [(&[&str], &str); 4] = [
            (&["a"], "a"),
            (&["cannot connect", "refused"], "cannot connect: refused"),
            (&["cannot connect: refused", "refused"], "cannot connect: refused"),
            (&["x: y", "y", "z"], "x: y: z"),
        ];
        for (texts, whole) in cases {
            assert_eq!(Whole(&chain(texts)).to_string(), whole);
        }
    }
}
