//! Values that functions return, by the schema.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use lightlike_core::bsatn::{self, Bsatn};
use lightlike_core::schema::{SatsValue, ServerSchema, ServerType};

use super::error::UntypedError;

/// Value that a reducer or a procedure returned, or that a reducer refused with.
#[derive(Clone)]
pub struct UntypedValue {
    schema: Arc<ServerSchema>,
    /// None where the schema does not tell: of reducers in version 9.
    ty: Option<ServerType>,
    bytes: Bytes,
}

impl UntypedValue {
    pub(super) fn new(schema: Arc<ServerSchema>, ty: Option<ServerType>, bytes: Bytes) -> Self {
        Self { schema, ty, bytes }
    }

    /// Its encoding, in BSATN.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its type; none where the schema does not tell, which it does of reducers from version 10 on.
    pub fn ty(&self) -> Option<&ServerType> {
        self.ty.as_ref()
    }

    /// Returns `true` if there is nothing in it, as in what most reducers return.
    pub fn is_unit(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The value. One whose type the schema does not tell is a text, which most errors are, or else its bytes.
    ///
    /// # Errors
    ///
    /// [`UntypedError::Returned`] if it does not fit the schema.
    pub fn value(&self) -> Result<SatsValue, UntypedError> {
        match &self.ty {
            Some(ty) => SatsValue::from_slice(self.schema.resolve(ty), &self.bytes)
                .map_err(UntypedError::Returned),
            None => Ok(match bsatn::from_slice::<String>(&self.bytes) {
                Ok(text) => SatsValue::String(text),
                Err(_) => SatsValue::Bytes(self.bytes.to_vec()),
            }),
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<String> {
        match self.value() {
            Ok(SatsValue::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The value as a Rust type.
    ///
    /// # Errors
    ///
    /// [`UntypedError::Returned`] if it is of another type.
    pub fn decode<T: Bsatn>(&self) -> Result<T, UntypedError> {
        bsatn::from_slice(&self.bytes).map_err(UntypedError::Returned)
    }

    /// The value as JSON: [SATS-JSON](crate::json) with names.
    ///
    /// # Errors
    ///
    /// [`UntypedError::Json`] if it does not fit the schema or has a float that JSON has no number for.
    #[cfg(feature = "json")]
    pub fn to_json(&self) -> Result<String, UntypedError> {
        use lightlike_core::json::{Form, from_bsatn, value_to_string};
        use lightlike_core::schema::SatsType;
        let json = match (&self.ty, self.text()) {
            (Some(ty), _) => from_bsatn(self.schema.resolve(ty), &self.bytes, Form::Named),
            (None, Some(text)) => value_to_string(SatsType::String, &text.into(), Form::Named),
            (None, None) => {
                let bytes = SatsType::Array(lightlike_core::schema::TypeRef::of::<u8>());
                value_to_string(bytes, &SatsValue::Bytes(self.bytes.to_vec()), Form::Named)
            }
        };
        json.map_err(UntypedError::Json)
    }
}

/// The value; of one that does not fit the schema, its bytes.
impl fmt::Display for UntypedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().unwrap_or_else(|_| SatsValue::Bytes(self.bytes.to_vec())).fmt(f)
    }
}

impl fmt::Debug for UntypedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
