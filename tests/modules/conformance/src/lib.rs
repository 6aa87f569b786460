//! Everything that a client can meet in a database: each column type, key, index, kind of table, view, procedure and
//! way to fail. `tests/modules/README.md` says what each room is for and lists every name as it is on the wire.

mod bulk;
mod columns;
mod connections;
mod events;
mod failures;
mod indexes;
mod joins;
mod keyed_views;
mod keys;
mod names;
mod procedures;
mod schedules;
mod types;
mod views;
mod visibility;
