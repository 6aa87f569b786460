//! The macros in a hostile place: no prelude, the facade under another name, and names that shadow everything that the
//! generated code could reach for.

#![no_implicit_prelude]
extern crate lightlike as renamed;

/// Names that the generated code must not pick up.
pub mod hostile {
    use ::core::marker::Copy;

    macro_rules! shadow {
        ($($name:ident)*) => {$(
            /// A name that Rust's prelude, or the facade, has too.
            #[allow(non_camel_case_types)]
            #[derive(::core::fmt::Debug, ::core::clone::Clone, Copy)]
            pub struct $name;
        )*};
    }
    shadow! {
        Result Option String Vec Box Ok Err Some None Encode Decode Sats Row Table Reducer Reader
        Writer Column Kind Plain FieldDef TypeRef Self_ u16 usize bool str
    }

    /// Shadows the modules.
    pub mod core {}
    /// Shadows the modules.
    pub mod std {}
    /// Shadows the modules.
    pub mod lightlike {}
}

/// Types whose names, fields and parameters collide with what the expansion could use.
pub mod types {
    #![allow(unused_imports, reason = "they are there to be in the way")]

    use super::hostile::*;
    use crate::renamed::{Bsatn, Table as DeriveTable, procedure, reducer};
    use ::core::primitive::{u8, u64};

    /// A type with a hostile name.
    #[derive(Bsatn, ::core::fmt::Debug, ::core::clone::Clone)]
    #[bsatn(crate = crate::renamed)]
    pub enum DecodeError {
        /// Nothing.
        Result,
        /// Something.
        Option(::std::string::String),
    }

    /// A row with hostile fields.
    #[derive(Bsatn, DeriveTable, ::core::fmt::Debug)]
    #[bsatn(crate = crate::renamed)]
    #[table(crate = crate::renamed, index(name = by_both, btree(columns = [__reader, reader_])))]
    pub struct HostileRow {
        /// A column.
        pub __reader: u8,
        /// A column.
        #[index(btree)]
        #[column(name = "READER")]
        pub reader_: u8,
        /// A column.
        #[unique]
        pub self_: u64,
        /// A column.
        #[primary_key]
        pub __out: ::std::string::String,
        /// A column.
        #[deprecated]
        pub __visitor: DecodeError,
        /// A column.
        pub r#type: ::std::vec::Vec<u8>,
    }

    /// Another table.
    #[derive(DeriveTable, ::core::fmt::Debug)]
    #[table(crate = crate::renamed, row = HostileRow)]
    pub struct Further;

    /// A view.
    #[derive(DeriveTable, ::core::fmt::Debug)]
    #[table(crate = crate::renamed, row = HostileRow, view, primary_key = __out)]
    pub struct Seen;

    /// A type with hostile parameters.
    #[derive(Bsatn, ::core::fmt::Debug, ::core::clone::Clone)]
    #[bsatn(crate = crate::renamed)]
    pub struct Generic<'a, 'de, T, Encode, const N: ::core::primitive::usize>
    where
        T: ::core::clone::Clone,
    {
        /// A field.
        pub __value: [T; N],
        /// A field.
        pub value: &'a ::core::primitive::str,
        /// A field.
        pub bytes: &'de [u8],
        /// A field.
        pub encode: Encode,
    }

    /// A call.
    #[reducer(crate = crate::renamed)]
    #[derive(::core::fmt::Debug, ::core::clone::Clone)]
    pub struct Call {
        /// An argument.
        pub __out: u8,
    }

    #[reducer(crate = crate::renamed)]
    #[derive(::core::fmt::Debug, ::core::clone::Clone)]
    pub fn signature(
        __reader: u8,
        reader: u8,
        self_: u8,
        a: u8,
        b: u8,
        c: u8,
        d: u8,
        e: u8,
    ) -> ::core::result::Result<u8, DecodeError>;

    #[procedure(crate = crate::renamed)]
    #[derive(::core::fmt::Debug)]
    pub(crate) fn r#match(r#type: ::std::string::String);
}

#[::core::prelude::v1::test]
fn hostile_names_do_no_harm() {
    use ::core::{assert_eq, convert::From};
    use ::std::{string::String, vec};

    use crate::renamed::bsatn::{from_slice, to_vec};
    use crate::renamed::schema;

    #[expect(deprecated, reason = "the field is, on purpose")]
    let row = types::HostileRow {
        __reader: 1,
        reader_: 2,
        self_: 3,
        __out: String::from("key"),
        __visitor: types::DecodeError::Option(String::from("why")),
        r#type: vec![4],
    };
    let bytes = to_vec(&row).unwrap();
    let decoded: types::HostileRow = from_slice(&bytes).unwrap();
    assert_eq!((decoded.self_, schema::Row::key(&decoded)), (3, &row.__out));
    let names = [types::HostileRow::__READER.name(), types::HostileRow::SELF_.name()];
    // The server drops underscores at the ends.
    assert_eq!(names, ["reader", "self"]);
    assert_eq!(<types::Further as schema::Table>::DEF.unique.len(), 2);

    let call = types::signature(1, 2, 3, 4, 5, 6, 7, 8);
    assert_eq!(to_vec(&call).unwrap(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(<types::Match as schema::Procedure>::DEF.name, "match");
    assert_eq!(types::r#match(String::new()).r#type, "");
}
