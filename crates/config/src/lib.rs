//! The configuration of a process: a TOML file, the variables that override it, and what it refers to.
//!
//! This crate reads a file with its overrides into a [`Document`], turns sections of it into the types of whoever owns them, and
//! collects every mistake with the line or variable that it stands at ([`Findings`], [`Error`]). It owns the one [`Secret`] and the
//! reading of other files ([`read()`], [`noting`]), so that a process knows which files to watch. It does not know any section, any
//! process or the network: each crate above declares its own settings.

mod authorities;
mod content;
mod document;
mod error;
mod file;
mod findings;
mod form;
mod lines;
mod nesting;
mod network;
mod note;
mod overrides;
mod seconds;
mod secret;
mod source;
mod standard;
mod strict;
mod words;

pub use authorities::{NO_AUTHORITIES, has_authorities};
pub use content::Content;
pub use document::Document;
pub use error::{Error, Mistake, Mistakes};
pub use file::{parse_toml, read_entry, read_rest, read_section};
pub use findings::Findings;
pub use lines::Lines;
pub use network::{Networks, counted_address};
pub use note::{Noted, noting, read, read_text, said_of_file};
pub use seconds::Seconds;
pub use secret::Secret;
pub use source::ConfigSource;
