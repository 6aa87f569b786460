//! The JSON of a schema, as it is written; [`parse`](super::parse) makes sense of it.
//!
//! # Source
//!
//! `RawModuleDefV9` and `RawModuleDefV10` of the 2.x server, as SATS-JSON by name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{ServerField, ServerType, ServerVariant};
use crate::schema::any::Scalar;

/// An option by its variants' names.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawOption<T> {
    Some(T),
    None(IgnoredAny),
}

impl<T> RawOption<T> {
    pub(super) fn into_option(self) -> Option<T> {
        match self {
            Self::Some(value) => Some(value),
            Self::None(_) => None,
        }
    }
}

impl<T> Default for RawOption<T> {
    fn default() -> Self {
        Self::None(IgnoredAny)
    }
}

/// A unit variant of a sum that may get more variants: its name.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Tag(BTreeMap<String, IgnoredAny>);

impl Tag {
    pub(super) fn is(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

#[derive(Deserialize)]
pub(super) struct RawProduct {
    elements: Vec<RawField>,
}

#[derive(Deserialize)]
struct RawField {
    #[serde(default)]
    name: RawOption<Box<str>>,
    algebraic_type: RawType,
}

#[derive(Deserialize)]
pub(super) struct RawSum {
    variants: Vec<RawField>,
}

macro_rules! raw_type {
    ($($scalar:ident)*) => {
        #[derive(Deserialize)]
        pub(super) enum RawType {
            Ref(u32),
            Sum(RawSum),
            Product(RawProduct),
            Array(Box<RawType>),
            $($scalar(IgnoredAny),)*
        }

        impl From<RawType> for ServerType {
            fn from(raw: RawType) -> Self {
                match raw {
                    RawType::Ref(at) => Self::Ref(at),
                    RawType::Sum(sum) => {
                        let variants = sum.variants.into_iter().map(|variant| ServerVariant {
                            name: variant.name.into_option(),
                            payload: Self::from(variant.algebraic_type).into_payload(),
                        });
                        Self::sum(variants.collect())
                    }
                    RawType::Product(product) => Self::product(product.into_fields()),
                    RawType::Array(element) => Self::Array(Box::new((*element).into())),
                    $(RawType::$scalar(_) => Self::Scalar(Scalar::$scalar),)*
                }
            }
        }
    };
}

raw_type! { String Bool I8 U8 I16 U16 I32 U32 I64 U64 I128 U128 I256 U256 F32 F64 }

impl RawProduct {
    pub(super) fn into_fields(self) -> Vec<ServerField> {
        let fields = self.elements.into_iter().map(|field| ServerField {
            name: field.name.into_option(),
            ty: field.algebraic_type.into(),
        });
        fields.collect()
    }
}

#[derive(Deserialize)]
pub(super) struct RawTypespace {
    pub(super) types: Vec<RawType>,
}

#[derive(Deserialize)]
pub(super) struct RawTypeName {
    #[serde(alias = "source_name")]
    pub(super) name: RawScopedName,
    pub(super) ty: u32,
}

#[derive(Deserialize)]
pub(super) struct RawScopedName {
    #[serde(default)]
    pub(super) scope: Vec<Box<str>>,
    #[serde(alias = "source_name")]
    pub(super) name: Box<str>,
}

#[derive(Deserialize)]
pub(super) struct RawTable {
    #[serde(alias = "source_name")]
    pub(super) name: Box<str>,
    pub(super) product_type_ref: u32,
    pub(super) primary_key: Vec<u16>,
    #[serde(default)]
    pub(super) indexes: Vec<RawIndex>,
    #[serde(default)]
    pub(super) constraints: Vec<RawConstraint>,
    #[serde(default)]
    pub(super) sequences: Vec<RawSequence>,
    /// In version 9.
    #[serde(default)]
    pub(super) schedule: RawOption<RawTableSchedule>,
    pub(super) table_access: Tag,
    /// Not in version 9.
    #[serde(default)]
    pub(super) is_event: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct RawSequence {
    pub(super) column: u16,
}

#[derive(Deserialize)]
pub(super) struct RawTableSchedule {
    pub(super) reducer_name: Box<str>,
}

/// In version 10.
#[derive(Deserialize)]
pub(super) struct RawSchedule {
    pub(super) table_name: Box<str>,
    pub(super) function_name: Box<str>,
}

#[derive(Deserialize)]
pub(super) struct RawIndex {
    #[serde(default)]
    pub(super) accessor_name: RawOption<Box<str>>,
    pub(super) algorithm: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
pub(super) struct RawConstraint {
    pub(super) data: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
pub(super) struct RawUnique {
    pub(super) columns: Vec<u16>,
}

#[derive(Deserialize)]
pub(super) struct RawReducer {
    #[serde(alias = "source_name")]
    pub(super) name: Box<str>,
    pub(super) params: RawProduct,
    /// In version 9.
    #[serde(default)]
    pub(super) lifecycle: RawOption<Tag>,
    /// In version 10.
    pub(super) visibility: Option<Tag>,
    pub(super) ok_return_type: Option<RawType>,
    pub(super) err_return_type: Option<RawType>,
}

#[derive(Deserialize)]
pub(super) struct RawProcedure {
    #[serde(alias = "source_name")]
    pub(super) name: Box<str>,
    pub(super) params: RawProduct,
    pub(super) return_type: RawType,
    /// In version 10.
    pub(super) visibility: Option<Tag>,
}

#[derive(Deserialize)]
pub(super) struct RawView {
    #[serde(alias = "source_name")]
    pub(super) name: Box<str>,
    pub(super) is_public: bool,
    pub(super) is_anonymous: bool,
    pub(super) params: RawProduct,
    pub(super) return_type: RawType,
}

#[derive(Deserialize)]
pub(super) struct RawViewKey {
    pub(super) view_source_name: Box<str>,
    pub(super) columns: Vec<Box<str>>,
}

#[derive(Deserialize)]
pub(super) struct RawLifecycle {
    pub(super) function_name: Box<str>,
}

/// Since 2.13.
#[derive(Deserialize)]
pub(super) struct RawVariable {
    pub(super) name: Box<str>,
    /// The kind and its values; a newer server's kind is no reason to refuse the schema.
    pub(super) ty: BTreeMap<String, serde_json::Value>,
    pub(super) optional: bool,
}

/// Since 2.14.
#[derive(Deserialize)]
pub(super) struct RawOutbox {
    pub(super) table_name: Box<str>,
    pub(super) remote_reducer: Box<str>,
}

#[derive(Deserialize)]
pub(super) struct RawNames {
    pub(super) entries: Vec<BTreeMap<String, RawName>>,
}

#[derive(Deserialize)]
pub(super) struct RawName {
    pub(super) source_name: Box<str>,
    pub(super) canonical_name: Box<str>,
}

#[derive(Deserialize)]
pub(super) struct RawV9 {
    pub(super) typespace: RawTypespace,
    pub(super) tables: Vec<RawTable>,
    pub(super) reducers: Vec<RawReducer>,
    #[serde(default)]
    pub(super) types: Vec<RawTypeName>,
    #[serde(default)]
    pub(super) misc_exports: Vec<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
pub(super) struct RawV10 {
    pub(super) sections: Vec<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
pub(super) struct RawSubmodule {
    pub(super) namespace: Box<str>,
    pub(super) module: RawV10,
}
