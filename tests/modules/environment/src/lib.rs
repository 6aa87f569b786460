//! A module that is told its configuration when it is published: two environment variables that it requires, one of them with
//! a choice of values, and one that it does without. A reducer writes down what it reads.

use spacetimedb::{EnvironmentValue, ReducerContext, Table, reducer, table};

#[derive(EnvironmentValue)]
pub enum Mode {
    #[env(value = "dev")]
    Dev,
    #[env(value = "prod")]
    Prod,
}

#[spacetimedb::env]
#[allow(non_snake_case)]
pub struct Env {
    pub API_KEY: String,
    pub MODE: Mode,
    pub GREETING: Option<String>,
}

/// A variable as a reducer read it.
#[table(accessor = variable, public)]
pub struct Variable {
    #[primary_key]
    name: String,
    value: Option<String>,
}

/// Writes down the environment as it is now.
#[reducer]
pub fn read_environment(ctx: &ReducerContext) {
    let mode = match ctx.env.MODE() {
        Mode::Dev => "development",
        Mode::Prod => "production",
    };
    let values = [
        ("API_KEY", Some(ctx.env.API_KEY())),
        ("MODE", Some(mode.to_owned())),
        ("GREETING", ctx.env.GREETING()),
    ];
    for (name, value) in values {
        ctx.db.variable().name().delete(name.to_owned());
        ctx.db.variable().insert(Variable { name: name.to_owned(), value });
    }
}
