//! The codec and the types of the server, from outside: what is accepted, what is refused and why, and that all of it
//! agrees with the official implementation.

mod hostile;
mod laws;
mod oracle;
mod text;
mod untyped;
mod values;
mod vectors;
