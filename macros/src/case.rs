//! Names as the server makes them.
//!
//! The server gives what a module declares without an explicit name a canonical one: tables, columns, reducers,
//! procedures, views and the fields of nested types in snake case, variants in camel case. Its words begin at an
//! underscore, at a capital after a small letter, before the last capital of several if a small letter follows it, and
//! **at both sides of a run of digits**: `insert_one_u8` is called `insert_one_u_8`.

/// As the server writes tables, columns, functions and fields: `insert_one_u_8`.
pub(crate) fn snake(ident: &str) -> String {
    join(ident, "_", |_, word| word.to_lowercase())
}

/// As the server writes variants: `insertOneU8`.
pub(crate) fn camel(ident: &str) -> String {
    join(ident, "", |at, word| if at == 0 { word.to_lowercase() } else { capitalised(word) })
}

/// As Rust writes types: `InsertOneU8`.
pub(crate) fn pascal(ident: &str) -> String {
    join(ident, "", |_, word| capitalised(word))
}

/// As Rust writes constants: `ONE_U8`. Unlike the server, Rust sees no word in a number, and every underscore stays.
pub(crate) fn screaming(ident: &str) -> String {
    let mut name = String::with_capacity(ident.len() + 4);
    let mut before = None;
    for c in ident.chars() {
        if is_upper(c) && before.is_some_and(is_lower) {
            name.push('_');
        }
        name.extend(c.to_uppercase());
        before = Some(c);
    }
    name
}

fn join(ident: &str, separator: &str, case: impl Fn(usize, &str) -> String) -> String {
    let words: Vec<_> = words(ident).iter().enumerate().map(|(at, word)| case(at, word)).collect();
    words.join(separator)
}

fn words(ident: &str) -> Vec<String> {
    let chars: Vec<char> = ident.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let begins = at > 0 && is_boundary(chars[at - 1], c, chars.get(at + 1).copied());
        if c == '_' || begins {
            words.push(std::mem::take(&mut word));
        }
        if c != '_' {
            word.push(c);
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Returns `true` if a word begins at `c`, between its neighbours.
fn is_boundary(before: char, c: char, after: Option<char>) -> bool {
    let letter = |c| is_upper(c) || is_lower(c);
    let last_capital = is_upper(before) && is_upper(c) && after.is_some_and(is_lower);
    (is_lower(before) && is_upper(c))
        || (letter(before) && c.is_ascii_digit())
        || (before.is_ascii_digit() && letter(c))
        || last_capital
}

/// Letters without case, as most of the world's, are neither upper nor lower and never begin a word.
fn is_upper(c: char) -> bool {
    has_case(c) && c.to_uppercase().eq([c])
}

fn is_lower(c: char) -> bool {
    has_case(c) && c.to_lowercase().eq([c])
}

fn has_case(c: char) -> bool {
    !c.to_uppercase().eq(c.to_lowercase())
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars.as_str().to_lowercase().chars()).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use convert_case::{Case, Casing};
    use proptest::prelude::*;

    use super::*;

    /// What module sources declare, and what a server was recorded to call it.
    #[test]
    fn names_are_those_that_the_server_makes() {
        #[rustfmt::skip]
        let cases = [
            ("insert_one_u8",             "insert_one_u_8"),
            ("insert_pk_i256",            "insert_pk_i_256"),
            ("insert_option_vec_option_i32", "insert_option_vec_option_i_32"),
            ("insert_primitives_as_strings", "insert_primitives_as_strings"),
            ("result_every_primitive_struct_string", "result_every_primitive_struct_string"),
            ("indexed_table_2",           "indexed_table_2"),
            ("pk_u32_two",                "pk_u_32_two"),
            ("btree_u32",                 "btree_u_32"),
            ("players_at_level_0",        "players_at_level_0"),
            ("OneU8",                     "one_u_8"),
            ("LoggedOutPlayer",           "logged_out_player"),
            ("Player1",                   "player_1"),
            ("player1Id",                 "player_1_id"),
            ("HTTPRequest",               "http_request"),
            ("Level2Person",              "level_2_person"),
            ("_private__name_",           "private_name"),
            ("x",                         "x"),
            ("X1Y",                       "x_1_y"),
        ];
        for (source, canonical) in cases {
            assert_eq!(snake(source), canonical, "{source}");
        }
    }

    /// Every entry of the `ExplicitNames` sections of the schemas in `fixtures`: the names of five real modules.
    #[test]
    fn schema_names_derive_from_source_names() {
        let pairs = include_str!("../fixtures/explicit_names.txt");
        let mut seen = 0;
        for line in pairs.lines().filter(|line| !line.starts_with('#')) {
            let (source, canonical) = line.split_once(' ').expect("two names a line");
            assert_eq!(snake(source), canonical);
            seen += 1;
        }
        assert_eq!(seen, 68);
    }

    #[test]
    fn variants_are_in_camel_case() {
        let cases = [
            ("Foo", "foo"),
            ("NotFound", "notFound"),
            ("HTTPError", "httpError"),
            ("U8", "u8"),
            ("Level2Person", "level2Person"),
        ];
        for (source, canonical) in cases {
            assert_eq!(camel(source), canonical, "{source}");
        }
    }

    #[test]
    fn types_and_constants_are_named_as_rust_does() {
        assert_eq!(pascal("insert_one_u8"), "InsertOneU8");
        assert_eq!(pascal("send_message"), "SendMessage");
        assert_eq!(screaming("one_u8"), "ONE_U8");
        assert_eq!(screaming("connectionId"), "CONNECTION_ID");
        assert_eq!(screaming("__reader"), "__READER");
    }

    proptest! {
        /// The server uses this crate, in this version.
        #[test]
        fn case_is_converted_as_the_server_converts_it(ident in "[_a-zA-Z0-9éßÉΣσЖж]{0,12}") {
            prop_assert_eq!(snake(&ident), ident.to_case(Case::Snake));
            prop_assert_eq!(camel(&ident), ident.to_case(Case::Camel));
            prop_assert_eq!(pascal(&ident), ident.to_case(Case::Pascal));
        }
    }
}
