//! Strings that share a message's buffer.

use core::fmt;
use core::ops::Deref;
use core::str::Utf8Error;

use bytes::Bytes;

/// A string in shared bytes: a piece of a message, or one of the program's own.
///
/// Cloning one copies nothing. As long as one lives it keeps the whole buffer that it is a piece of; copy it
/// (`to_owned`) to keep it for long.
///
/// # Invariants
///
/// The bytes are UTF-8. That is checked when one is made and, because this crate has no unsafe code, again whenever it
/// is dereferenced; [`as_bytes`](Self::as_bytes) and comparisons cost nothing.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Bytes);

impl Text {
    /// The empty string.
    pub const fn new() -> Self {
        Self(Bytes::new())
    }

    /// A string that lives as long as the program.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// A string in shared bytes.
    ///
    /// # Errors
    ///
    /// [`Utf8Error`] if the bytes are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, Utf8Error> {
        core::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }

    /// The string.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).expect("a `Text` is made of UTF-8")
    }

    /// The string's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

/// The name of a table or a view, as the server writes it: a [`Text`].
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName(pub Text);

impl TableName {
    /// The name of a table that is known when the program is built.
    pub const fn from_static(name: &'static str) -> Self {
        Self(Text::from_static(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name's bytes, which cost nothing to get at.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<String> for TableName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&str> for TableName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// Gives a string type the traits that let it stand where a `str` does.
macro_rules! like_str {
    ($($name:ident),*) => {$(
        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                self.as_str()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.as_str(), f)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }
    )*};
}
like_str!(Text, TableName);
