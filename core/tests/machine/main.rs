//! The connection machine, without a socket and without waiting.

mod rig;

mod calling;
mod connecting;
mod random;
mod subscribing;
