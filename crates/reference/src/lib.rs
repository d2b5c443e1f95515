//! What a configuration refers to: secrets and other files, and which of them were read when it was.
//!
//! Whatever the configuration declares by the type of a key (a [`Secret`], or a path that its reader passes to [`read`])
//! is noted while [`noting`] runs, with what it held. A process that wants to know whether its configuration has changed
//! compares these files, and no others.

mod authorities;
mod content;
mod note;
mod secret;

pub use authorities::{NO_AUTHORITIES, has_authorities};
pub use content::Content;
pub use note::{Noted, noting, read, read_text, said_of_file};
pub use secret::Secret;
