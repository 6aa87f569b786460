//! Errors of schemas that Rust, or this crate, cannot express.

/// Errors of generating source from a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A type contains itself, which no column and no argument can: a server takes no such module.
    #[error("the type `{path}` contains itself, which no column and no argument can")]
    Recursive {
        /// The types from the outermost to the one that comes again.
        path: Box<str>,
    },
    /// A table, a view or a function has no name by which it could be asked for.
    #[error("the schema has a {what} without a name")]
    Unnamed {
        /// Kind of thing.
        what: &'static str,
    },
    /// A reference leads out of the schema.
    #[error("{what} refers to type {at}, and the schema has only {types}")]
    Dangling {
        /// Item that refers.
        what: Box<str>,
        /// The position that it refers to.
        at: u32,
        /// Number of types in the schema.
        types: usize,
    },
    /// A sum has more variants than a tag can tell apart.
    #[error("{what} has {variants} variants, and a tag tells at most 256 apart")]
    TooManyVariants {
        /// Item that has the type.
        what: Box<str>,
        /// Number of variants.
        variants: usize,
    },
    /// Types are nested so deeply that nobody wrote them.
    #[error("{what} is nested more than {limit} deep")]
    TooDeep {
        /// Item that has the type.
        what: Box<str>,
        /// The most that is followed.
        limit: usize,
    },
    /// The module's Rust name cannot be one.
    #[error(
        "`{name}` cannot be the name of the Rust module; take another, of letters, digits and underscores"
    )]
    ModuleName {
        /// Name as given.
        name: Box<str>,
    },
}
