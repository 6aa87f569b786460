//! Expansions of the macros, as snapshots: a change to an expansion shows up in the review as a change to a text.
//!
//! `INSTA_UPDATE=always cargo test -p lightlike-macros` writes them anew.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse_quote;

use crate::call::Function;
use crate::{bsatn, call, table};

/// The expansion as `rustfmt` would have it.
fn pretty(expansion: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(expansion).expect("the expansion is Rust"))
}

#[test]
fn a_product() {
    insta::assert_snapshot!(pretty(bsatn::derive(&parse_quote! {
        pub struct Named<'a, T> {
            name: &'a str,
            #[bsatn(name = "Value")]
            r#value1: Option<T>,
        }
    })));
}

#[test]
fn a_sum() {
    insta::assert_snapshot!(pretty(bsatn::derive(&parse_quote! {
        #[bsatn(crate = crate::renamed)]
        enum Shape {
            Dot,
            LongLabel(String),
        }
    })));
}

#[test]
fn a_sum_with_other() {
    insta::assert_snapshot!(pretty(bsatn::derive(&parse_quote! {
        enum Shape {
            Dot,
            Label(String),
            Nested(Inner),
            #[bsatn(other)]
            Other(UnknownVariant),
        }
    })));
}

#[test]
fn a_product_that_may_be_open() {
    insta::assert_snapshot!(pretty(bsatn::derive(&parse_quote! {
        struct Drawn {
            id: u64,
            shape: Option<Shape>,
            x: f32,
        }
    })));
}

#[test]
fn a_transparent_struct() {
    insta::assert_snapshot!(pretty(bsatn::derive(&parse_quote! {
        #[bsatn(transparent)]
        struct UserId(u64);
    })));
}

#[test]
fn a_row() {
    insta::assert_snapshot!(pretty(table::derive(&parse_quote! {
        #[table(index(name = by_team_and_name, btree(columns = [team, name])))]
        pub struct User {
            pub(crate) team: u8,
            #[primary_key]
            pub id: u64,
            #[unique]
            pub name: String,
            #[index(btree)]
            pub level: u32,
        }
    })));
}

#[test]
fn a_row_without_a_key() {
    insta::assert_snapshot!(pretty(table::derive(&parse_quote! {
        #[table(name = "Message", event)]
        struct Message {
            text: String,
        }
    })));
}

#[test]
fn a_marker_of_a_table() {
    insta::assert_snapshot!(pretty(table::derive(&parse_quote! {
        #[table(row = rows::User)]
        struct LoggedOut;
    })));
}

#[test]
fn a_marker_of_a_view() {
    insta::assert_snapshot!(pretty(table::derive(&parse_quote! {
        #[table(view, row = User, primary_key = id)]
        struct Visible;
    })));
}

#[test]
fn a_reducer_s_signature() {
    let item = quote! {
        /// Renames the caller.
        #[derive(Debug)]
        pub(crate) fn set_name(name: String, r#type: u8) -> Result<u32, Refusal>;
    };
    let args = quote!(idempotent);
    insta::assert_snapshot!(pretty(call::expand(Function::Reducer, args, item)));
}

#[test]
fn a_procedure_s_struct() {
    let item = quote! {
        struct Ping;
    };
    let args = quote!(returns = Vec<(u8, u8)>, name = "PING");
    insta::assert_snapshot!(pretty(call::expand(Function::Procedure, args, item)));
}

/// Beside an error stands an impl, so that uses of the type add none of their own.
#[test]
fn a_mistake() {
    insta::assert_snapshot!(pretty(table::derive(&parse_quote! {
        struct User {
            #[primary_key]
            id: f64,
        }
    })));
}

#[test]
fn a_view_with_arguments() {
    insta::assert_snapshot!(pretty(table::derive(&parse_quote! {
        #[table(view, row = Player, args(level: u64, guild_name1: String))]
        pub(crate) struct Strong;
    })));
}

#[test]
fn a_lenient_row() {
    insta::assert_snapshot!(pretty(table::derive(&parse_quote! {
        #[table(lenient)]
        struct User {
            id: u64,
        }
    })));
}
