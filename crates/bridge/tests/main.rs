//! The bridge from outside: recorded replies, mapping tables, the engine over real sockets.

mod captures;
mod contract;
mod decoding;
mod encoding;
mod engine;
mod formats;
mod forms;
mod fuzz;
mod hostile;
mod oracles;
mod round_trip;
mod soap_literal;
