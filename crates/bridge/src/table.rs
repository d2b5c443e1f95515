//! Mapping tables: what each field of a message is called and how it is written upstream.
//!
//! A table is built when a service starts from two texts that people read: the contract's descriptors
//! and the provider's `vocabulary.toml`. One interpreter walks messages and trees by it, both ways, so
//! that field mapping is nobody's code.

mod array;
mod build;
mod calendar;
mod check;
mod decode;
mod encode;
mod error;
mod field;
mod format;
mod kind;
mod path;
mod probe;
mod protobuf;
mod scalar;
mod structure;
mod vocabulary;

pub use decode::Decoded;
pub use error::TableError;
pub use field::{Tables, TextRule};
pub use vocabulary::Vocabulary;
