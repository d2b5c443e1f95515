//! XML as the wires need it: a bounded document reader, a writer, charsets, and XML::Simple's text.

pub mod charset;
pub mod document;
pub mod error;
pub mod simple;
pub(crate) mod unescape;
pub mod write;
