//! The derives and attributes of Lightlike. Use them through the `lightlike` crate, which exports them all.
//!
//! Each goes the same way: `parse` reads the input into a model, checking on the way and collecting every mistake in a
//! `Ctxt`; `expand` writes the code, or, beside the errors, a stub of it that keeps uses of the type
//! from adding errors of their own. Generated code names nothing but `::core` and the facade's `__private` module.

#![forbid(unsafe_code)]

mod attr;
mod bsatn;
mod call;
mod case;
mod ctxt;
#[cfg(test)]
mod expansions;
mod schema;
mod table;
mod types;

extern crate proc_macro;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::{DeriveInput, Path, parse_macro_input, parse_quote};

use crate::ctxt::Ctxt;

/// Gives a struct or an enum its BSATN encoding (`Encode`, `Decode`) and its type in SpacetimeDB (`Sats`).
///
/// A struct is a product: its fields in order. An enum is a sum: its variants have no value or one, and their position
/// is their tag. Types may have parameters, which get the bounds they need; a type that contains itself through a
/// `Box` or a `Vec` works. A type with a lifetime **borrows from the bytes it is decoded from** and allocates nothing:
///
/// ```
/// use lightlike::Bsatn;
/// use lightlike::bsatn::{from_slice, to_vec};
///
/// #[derive(Bsatn, Debug, PartialEq)]
/// enum Shape<'a> {
///     Dot,
///     Label(&'a str),
///     Polygon(Vec<Point>),
/// }
///
/// #[derive(Bsatn, Debug, PartialEq)]
/// struct Point {
///     x: f32,
///     y: f32,
/// }
///
/// let bytes = to_vec(&Shape::Label("hi"))?;
/// assert_eq!(bytes, [1, 2, 0, 0, 0, b'h', b'i']);
/// let shape: Shape<'_> = from_slice(&bytes)?;
/// assert_eq!(shape, Shape::Label("hi"));
/// # let _ = (Shape::Dot, Shape::Polygon(vec![Point { x: 0.0, y: 0.0 }]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Names are those that the server makes of the Rust ones: fields in snake case with a boundary at digits (`u8s` is
/// `u_8_s`), variants in camel case.
///
/// | on a struct or enum | |
/// | --- | --- |
/// | `#[bsatn(transparent)]` | The struct has one field, and is that field on the wire and in the schema. |
/// | `#[bsatn(crate = ::path)]` | Where the `lightlike` crate is, if not at `::lightlike`. |
///
/// | on a field or variant | |
/// | --- | --- |
/// | `#[bsatn(name = "..")]` | Its name in the schema, verbatim. |
/// | `#[bsatn(other)]` | On the last variant of an enum: it keeps the variants that the enum does not have, [see below](#unknown-variants). |
///
/// # Unknown variants
///
/// A module may add variants to its enums, and a program from before then meets tags that it does not know. Without
/// `other`, such a value does not decode: the query sets whose rows have it end with an error that names the column. With
/// `other`, it is kept byte for byte: it is encoded again as it came, so a row with it is found again when it is deleted or
/// compared. What the last variant holds says how much is kept:
///
/// ```
/// use lightlike::Bsatn;
/// use lightlike::bsatn::{UnknownVariant, from_slice, to_vec};
///
/// /// Keeps the tag of a variant without a value. It stays as small as it was, and may stand anywhere.
/// #[derive(Bsatn, Debug, Clone, Copy, PartialEq)]
/// enum Color {
///     Red,
///     Green,
///     #[bsatn(other)]
///     Other(u8),
/// }
///
/// /// Keeps the tag and the value.
/// #[derive(Bsatn, Debug, Clone, PartialEq)]
/// enum Shape {
///     Dot,
///     Label(String),
///     #[bsatn(other)]
///     Other(UnknownVariant),
/// }
///
/// #[derive(Bsatn, Debug, PartialEq)]
/// struct Drawn {
///     colors: Vec<Color>,
///     shape: Shape,
///     x: f32,
/// }
///
/// let bytes = [2, 0, 0, 0, 1, 7, 9, 5, 6, 0, 0, 128, 63];
/// let drawn: Drawn = from_slice(&bytes)?;
/// assert_eq!((drawn.colors[1], drawn.x), (Color::Other(7), 1.0));
/// assert!(matches!(&drawn.shape, Shape::Other(unknown) if unknown.tag() == 9 && unknown.value() == [5, 6]));
/// assert_eq!(to_vec(&drawn)?, bytes);
/// # let _ = (Color::Red, Color::Green, Shape::Dot, Shape::Label(String::new()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// BSATN does not say how long a value is, and from that follow the rules:
///
/// - A `u8` is for enums that grow by variants *without values*. Should one have a value all the same, it is taken for what
///   stands behind the enum: the row has another length then than its type, which is an error that says so, unless
///   something behind it happens to make up for it. In a lenient row, whose length says nothing, nothing would show it.
/// - An `UnknownVariant` takes what the row has left, so **what stands behind it has a size that never changes**: numbers,
///   times, identities, other enums without values, structs of these; no text and no lists. It cannot stand in a list, an
///   array, a `Box` or an `Arc`, in a lenient row, or in front of the primary key. All of these are refused while the
///   program is compiled.
/// - Where the schema is compared, further variants on the server are no difference for such an enum, except that with a
///   `u8` they must have no values.
/// - A value of a variant that is known never decodes as `other`; `Other(1)` that a program makes itself is encoded as the
///   variant with the tag 1.
///
/// # Decoding
///
/// Where all fields have a size that never changes, so has the struct: it is checked once, as a whole, before its fields
/// are read.
#[proc_macro_derive(Bsatn, attributes(bsatn))]
pub fn derive_bsatn(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    bsatn::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a struct the row of a table, or a unit struct the name of a further table.
///
/// On a struct with named fields, which derives `Bsatn` too, this makes the row type (`Row`), the table (`Table`), and
/// one constant a column: `User::IDENTITY` looks up, orders, builds queries and names what to watch. What can be done
/// with it is in its type. A constant is as visible as its field.
///
/// ```
/// use lightlike::types::Identity;
/// use lightlike::{Bsatn, Table, schema};
///
/// #[derive(Bsatn, Table, Debug, Clone)]
/// #[table(name = "user", index(name = by_team_and_score, btree(columns = [team, score])))]
/// struct User {
///     #[primary_key]
///     identity: Identity,
///     #[unique]
///     name: Option<String>,
///     #[index(btree)]
///     score: u32,
///     team: u8,
/// }
///
/// /// A second table with the same rows.
/// #[derive(Table)]
/// #[table(name = "logged_out", row = User)]
/// struct LoggedOut;
///
/// /// A view of such rows.
/// #[derive(Table)]
/// #[table(view, row = User, primary_key = identity)]
/// struct MyTeam;
///
/// assert_eq!(User::SCORE.index(), 2);
/// assert_eq!(User::BY_TEAM_AND_SCORE.columns(), [3, 2]);
/// assert_eq!(<LoggedOut as schema::Table>::DEF.primary_key, Some(0));
/// assert_eq!(<MyTeam as schema::Table>::DEF.name, "my_team");
/// ```
///
/// | on the struct | |
/// | --- | --- |
/// | `#[table(name = "..")]` | The table's name on the wire, verbatim. Default: the struct's name as the server would write it, `LoggedOut` as `logged_out` and `Player1` as `player_1`. |
/// | `#[table(event)]` | An event table: its rows are delivered and never stored, so nothing can be found in it. An event is delivered once a transaction, however many query sets and queries return it: the server keeps the events of a transaction as a set. |
/// | `#[table(view)]` | A view: its rows are computed. It has no unique columns and no indexes, and a key only if it says so. |
/// | `#[table(row = User)]` | On a unit struct: a further table, whose rows are `User`s. A table inherits the primary key, the unique columns and the indexes of the row; a view inherits none. |
/// | `#[table(primary_key = column)]` | On a view with `row = ..`: it has the row's primary key, which is this field. |
/// | `#[table(view, args(level: u64))]` | A view with arguments: `Strong::with(3)` asks for its rows. They are literals, by position: no floats, arrays, structs, enums or options (`lightlike::query::ViewArgument`). Such a view has no primary key. |
/// | `#[table(lenient)]` | Columns that the server has behind the struct's are left alone, such as a migration appends. Without this they are a mistake. |
/// | `#[table(index(name = by_a_and_b, btree(columns = [a, b])))]` | An ordered index over two to four columns, named by their fields, and the constant `User::BY_A_AND_B` for it. |
/// | `#[table(schema = "schema.json")]` | Compares the struct with the module's schema while it is compiled: see [below](#a-saved-schema). |
/// | `#[table(crate = ::path)]` | Where the `lightlike` crate is. Default: as `#[bsatn(crate = ..)]` says, or `::lightlike`. |
///
/// | on a field | |
/// | --- | --- |
/// | `#[primary_key]` | The column identifies a row: it can be found, watched, and updated instead of deleted and inserted. |
/// | `#[unique]` | No two rows have the same value: a row can be found by it. |
/// | `#[index(btree)]` | The column has an ordered index: ranges and joins. |
/// | `#[index(hash)]`, `#[index(direct)]` | The same: whichever kind the module has, the client's index is ordered. |
/// | `#[column(name = "..")]` | The column's name on the wire, verbatim. Default: the field's name as the server would write it, `u8s` as `u_8_s`. |
/// | `#[auto_inc]` | Nothing: it may stay when a struct is copied from a module. |
///
/// Say only what the module says: an index or a key that the server does not have makes queries that it refuses.
///
/// # A saved schema
///
/// With the feature `schema`, `#[table(schema = "schema.json")]` compares the struct with a schema in a file (the reply to
/// `GET /v1/database/NAME/schema?version=10`), whose path begins where `Cargo.toml` is, or else beside the source file;
/// `#[table(schema)]` is short for `schema.json`. What differs is an error at the field:
///
/// ```text
/// error[E0080]: evaluation panicked: table message, column 2: server has sent: Timestamp, struct has sent: u64
///   --> src/main.rs:9:11
///    |
///  9 |     sent: u64,
///    |           ^^^ evaluation of `_` failed here
/// ```
///
/// The program is built again when the file changes. Whether a table is private is not compared: its owner may read it.
#[proc_macro_derive(Table, attributes(table, primary_key, unique, index, column, auto_inc))]
pub fn derive_table(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    table::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes calls of a reducer, from a struct of its arguments or from its signature.
///
/// A call is a value: a struct with the arguments, which a client sends. From a signature, ended by `;`, this makes the
/// struct (`set_name` makes `SetName`, with the derives and the documentation of the signature) and a function that
/// fills it in; both, and the fields, are as visible as the signature says. Leave out the module's context.
///
/// ```
/// use lightlike::reducer;
/// use lightlike::schema::Reducer;
///
/// /// Changes the caller's name.
/// #[reducer]
/// #[derive(Debug, Clone)]
/// fn set_name(name: String) -> Result<(), String>;
///
/// /// The same, on a struct.
/// #[reducer(name = "send_message", error = u32)]
/// struct Say {
///     text: String,
/// }
///
/// let call: SetName = set_name("Ada".to_owned());
/// assert_eq!(call.name, "Ada");
/// assert_eq!(<SetName as Reducer>::DEF.name, "set_name");
/// assert_eq!(<Say as Reducer>::DEF.name, "send_message");
/// # let _ = Say { text: String::new() }.text;
/// ```
///
/// The types say what an answer holds. A signature that returns `Result<T, E>` commits with a `T` and rejects with an
/// `E`; one that returns another `T` rejects with a `String`; one that returns nothing commits with `()`.
///
/// | | |
/// | --- | --- |
/// | `#[reducer(name = "..")]` | The reducer's name on the wire, verbatim. Default: as the server would write it, `insert_one_u8` as `insert_one_u_8` and `SendMessage` as `send_message`. |
/// | `#[reducer(idempotent)]` | A call may be sent again when its outcome is unknown. |
/// | `#[reducer(ok = T)]` | On a struct: what the reducer returns when it commits. Default: `()`. |
/// | `#[reducer(error = T)]` | On a struct: what it returns when it rejects a call. Default: `String`. |
/// | `#[reducer(schema = "schema.json")]` | Compares the signature with the module's schema while it is compiled, as for [`Table`](derive@Table#a-saved-schema). |
/// | `#[reducer(crate = ::path)]` | Where the `lightlike` crate is, if not at `::lightlike`. |
///
/// The attribute brings `#[derive(Bsatn)]` along; one that stands there already is fine.
#[proc_macro_attribute]
pub fn reducer(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    call::expand(call::Function::Reducer, args.into(), item.into()).into()
}

/// Makes calls of a procedure, from a struct of its arguments or from its signature.
///
/// As [`macro@reducer`], except that a procedure returns one value, which may well be a `Result`:
///
/// ```
/// use lightlike::procedure;
/// use lightlike::schema::Procedure;
///
/// #[procedure]
/// fn dice(sides: u8) -> Result<u8, String>;
///
/// #[procedure(returns = Vec<u8>)]
/// struct Fetch {
///     url: String,
/// }
///
/// let rolled: <Dice as Procedure>::Output = Ok(4);
/// assert_eq!(dice(6).sides, 6);
/// # let _ = (rolled, Fetch { url: String::new() }.url);
/// ```
///
/// | | |
/// | --- | --- |
/// | `#[procedure(name = "..")]` | The procedure's name on the wire, verbatim. Default: as the server would write it. |
/// | `#[procedure(idempotent)]` | A call may be sent again when its outcome is unknown. |
/// | `#[procedure(returns = T)]` | On a struct: what the procedure returns. Default: `()`. |
/// | `#[procedure(schema = "schema.json")]` | Compares the signature with the module's schema while it is compiled, as for [`Table`](derive@Table#a-saved-schema). |
/// | `#[procedure(crate = ::path)]` | Where the `lightlike` crate is, if not at `::lightlike`. |
#[proc_macro_attribute]
pub fn procedure(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    call::expand(call::Function::Procedure, args.into(), item.into()).into()
}

/// The facade that generated code names everything through.
fn facade(krate: Option<Path>) -> Path {
    krate.unwrap_or_else(|| parse_quote!(::lightlike))
}

/// An identifier as text, without the `r#` of a raw one.
fn name_of(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The name that the server makes of an identifier, for want of an explicit one.
fn server_name(cx: &Ctxt, ident: &Ident, case: impl Fn(&str) -> String) -> String {
    let name = case(&name_of(ident));
    if name.is_empty() {
        cx.error(
            ident,
            "the server makes no name of underscores; give this one with `name = \"..\"`",
        );
    }
    name
}

/// The constant that stands for a field or an index: `user_id` is `USER_ID`.
fn constant(ident: &Ident) -> Ident {
    let name = case::screaming(&name_of(ident));
    // The letters of some scripts have capitals that no identifier can have.
    match syn::parse_str::<Ident>(&name) {
        Ok(constant) => Ident::new(&constant.to_string(), ident.span()),
        Err(_) => ident.clone(),
    }
}

/// `Some(value)` or `None`.
fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// The body of a stub, which no program runs: it stands beside an error.
fn unreachable() -> TokenStream {
    quote!(::core::unreachable!())
}

/// The tokens with another place, so that an error about them is reported there.
fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    let respanned = tokens.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            let inner = respan(group.stream(), span);
            token = TokenTree::Group(Group::new(group.delimiter(), inner));
        }
        token.set_span(span);
        token
    });
    respanned.collect()
}

/// Impls in a scope of their own.
fn scoped(items: TokenStream) -> TokenStream {
    quote!(const _: () = { #items };)
}
