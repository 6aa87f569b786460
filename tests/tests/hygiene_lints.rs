//! The macros in a crate that denies every lint that generated code could offend.

#![deny(
    deprecated,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    missing_debug_implementations,
    missing_docs,
    non_local_definitions,
    single_use_lifetimes,
    trivial_casts,
    unnameable_types,
    unreachable_pub,
    unsafe_code,
    unused,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::absolute_paths,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::default_numeric_fallback,
    clippy::else_if_without_else,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::min_ident_chars,
    clippy::missing_inline_in_public_items,
    clippy::missing_trait_methods,
    clippy::multiple_inherent_impl,
    clippy::panic,
    clippy::pattern_type_mismatch,
    clippy::pub_use,
    clippy::question_mark_used,
    clippy::ref_patterns,
    clippy::renamed_function_params,
    clippy::same_name_method,
    clippy::semicolon_inside_block,
    clippy::semicolon_outside_block,
    clippy::shadow_reuse,
    clippy::shadow_same,
    clippy::shadow_unrelated,
    clippy::single_call_fn,
    clippy::std_instead_of_core,
    clippy::unreachable,
    clippy::unseparated_literal_suffix,
    clippy::separated_literal_suffix,
    clippy::unwrap_used
)]
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::tests_outside_test_module,
    reason = "about the items themselves"
)]

/// The declarations of an application.
pub mod declarations {
    use std::borrow::Cow;

    use lightlike::{Bsatn, Table, procedure, reducer};

    /// A sum.
    #[derive(Bsatn, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Kind {
        /// Without a value.
        Small,
        /// With one.
        Large(u64),
    }

    /// A sum of nothing.
    #[derive(Bsatn, Debug, Clone, Copy)]
    pub enum Never {}

    /// A product that is its field.
    #[derive(Bsatn, Debug, Clone, Copy)]
    #[bsatn(transparent)]
    pub struct Meters(pub f32);

    /// A product of nothing.
    #[derive(Bsatn, Debug, Clone, Copy)]
    pub struct Nothing;

    /// A product that borrows, with parameters.
    #[derive(Bsatn, Debug, Clone)]
    pub struct Borrowed<'name, Value, const LEN: usize> {
        /// A field.
        pub name: &'name str,
        /// A field.
        pub text: Cow<'name, str>,
        /// A field.
        pub values: [Value; LEN],
    }

    /// A row.
    #[derive(Bsatn, Table, Debug, Clone)]
    #[table(index(name = by_kind_and_level, btree(columns = [kind, level])))]
    pub struct Player {
        name: String,
        /// The key.
        #[primary_key]
        pub id: u64,
        /// Unique.
        #[unique]
        pub(crate) email: String,
        /// Indexed.
        #[index(btree)]
        pub level: u32,
        /// No longer used.
        #[deprecated]
        pub old: Option<bool>,
        /// Indexed with another.
        pub kind: Kind,
    }

    /// Another table.
    #[derive(Table, Debug, Clone, Copy)]
    #[table(row = Player)]
    pub struct LoggedOut;

    /// A view.
    #[derive(Table, Debug, Clone, Copy)]
    #[table(view, row = Player, primary_key = id)]
    pub struct MyPlayer;

    /// An event.
    #[derive(Bsatn, Table, Debug, Clone, Copy)]
    #[table(event)]
    pub struct Explosion {
        /// Radius of the circle.
        pub radius: f32,
    }

    /// A call.
    #[reducer(ok = u32, error = Kind)]
    #[derive(Debug, Clone)]
    pub struct Enter {
        /// An argument.
        pub name: String,
    }

    #[reducer]
    #[derive(Debug, Clone)]
    pub fn set_name(name: String) -> Result<(), String>;

    #[reducer(idempotent)]
    #[derive(Debug, Clone, Copy)]
    pub fn many(a1: u8, a2: u8, a3: u8, a4: u8, a5: u8, a6: u8, a7: u8, a8: u8);

    #[procedure]
    #[derive(Debug, Clone, Copy)]
    pub(crate) fn now() -> i64;
}

#[test]
fn the_declarations_are_those_of_an_ordinary_application() {
    use declarations::{Player, many, now};
    use lightlike::schema::{Procedure, Reducer};

    fn name<R: Reducer>(_: &R) -> &'static str {
        R::DEF.name
    }
    fn procedure<P: Procedure>(_: &P) -> &'static str {
        P::DEF.name
    }
    assert_eq!(name(&many(1, 2, 3, 4, 5, 6, 7, 8)), "many");
    assert_eq!(procedure(&now()), "now");
    assert_eq!(Player::EMAIL.index(), 2);
}

/// Declarations inside a function are local to it.
#[test]
fn declarations_work_inside_functions() {
    use lightlike::schema::HasKey;
    use lightlike::{Bsatn, Table, reducer};

    #[derive(Bsatn, Table)]
    struct Local {
        #[primary_key]
        id: u64,
    }

    #[derive(Table)]
    #[table(row = Local)]
    struct More;

    #[reducer]
    fn touch(id: u64);

    fn primary_key<T: HasKey>() -> Option<u16> {
        T::DEF.primary_key
    }
    assert_eq!(primary_key::<More>(), Some(0));
    assert_eq!(touch(Local { id: 3 }.id).id, 3);
}
