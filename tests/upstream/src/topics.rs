//! Parts of the server's sources that a client depends on.

use std::collections::BTreeMap;

use crate::items::{self, Item};
use crate::release::Release;

/// One list of the report.
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Crates, and how the paths of their files begin.
    places: &'static [(&'static str, &'static str)],
}

pub(crate) const ALL: &[Topic] = &[
    Topic {
        name: "messages",
        about: "what is on the wire",
        places: &[("spacetimedb-client-api-messages", "websocket")],
    },
    Topic {
        name: "schema",
        about: "sections and entries of a module's schema",
        places: &[("spacetimedb-lib", "db/raw_def"), ("spacetimedb-lib", "environment")],
    },
    Topic {
        name: "http",
        about: "types of HTTP requests and replies, headers and names",
        places: &[
            ("spacetimedb-client-api-messages", "http"),
            ("spacetimedb-client-api-messages", "name"),
            ("spacetimedb-client-api-messages", "publish"),
            ("spacetimedb-client-api-messages", "energy"),
            ("spacetimedb-lib", "http"),
        ],
    },
    Topic {
        name: "errors",
        about: "refusals and their texts",
        places: &[
            ("spacetimedb-core", "error"),
            ("spacetimedb-core", "host/module_host"),
            ("spacetimedb-expr", "errors"),
            ("spacetimedb-schema", "error"),
            ("spacetimedb-sql-parser", "parser/errors"),
        ],
    },
    Topic {
        name: "sql",
        about: "syntax and types of queries",
        places: &[
            ("spacetimedb-expr", "expr"),
            ("spacetimedb-expr", "statement"),
            ("spacetimedb-sql-parser", "ast"),
        ],
    },
    Topic {
        name: "auth",
        about: "tokens and who may do what",
        places: &[
            ("spacetimedb-auth", ""),
            ("spacetimedb-core", "auth"),
            ("spacetimedb-lib", "identity"),
            ("spacetimedb-lib", "connection_id"),
        ],
    },
    Topic {
        name: "values",
        about: "special types and limits",
        places: &[
            ("spacetimedb-sats", "timestamp"),
            ("spacetimedb-sats", "time_duration"),
            ("spacetimedb-sats", "uuid"),
            ("spacetimedb-sats", "algebraic_type"),
            ("spacetimedb-lib", "scheduler"),
            ("spacetimedb-primitives", ""),
        ],
    },
];

impl Topic {
    /// The items of this topic in a release, by their crate, file and name.
    pub(crate) fn items(&self, release: &Release) -> anyhow::Result<BTreeMap<String, Item>> {
        let mut found = BTreeMap::new();
        for (krate, prefix) in self.places {
            for (file, text) in release.files(krate, prefix)? {
                items::read(&format!("{krate}/{file}"), &text, &mut found)?;
            }
        }
        Ok(found)
    }
}
