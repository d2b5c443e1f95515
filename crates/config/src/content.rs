//! What a file held, in a form that can be compared and gives nothing away.

use std::{
    fmt, fs,
    fs::File,
    io::{self, Read},
    path::Path,
};

use aws_lc_rs::digest::{SHA256, digest};

/// What a file held when it was read or looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// It was not there, or could not be read.
    Unreadable,
    /// It is no regular file (a pipe, say): a second reader would take the bytes from the first, so it never seems to change.
    Stream,
    /// The SHA-256 hash of its bytes.
    Bytes([u8; 32]),
}

impl Content {
    /// Looks at a file.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(known) if !known.is_file() => Self::Stream,
            Ok(_) => fs::read(path).map_or(Self::Unreadable, |bytes| Self::of_bytes(&bytes)),
            Err(_) => Self::Unreadable,
        }
    }

    /// The content of a regular file with these bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self::Bytes(hash)
    }

    /// The hash in hexadecimal digits, if there is one.
    #[must_use]
    pub fn sha256(&self) -> Option<String> {
        match self {
            Self::Bytes(hash) => Some(hash.iter().map(|byte| format!("{byte:02x}")).collect()),
            Self::Unreadable | Self::Stream => None,
        }
    }

    /// Reads a file, and says what it held.
    pub(crate) fn read(path: &Path) -> (io::Result<Vec<u8>>, Self) {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|mut file| {
            file.read_to_end(&mut bytes)?;
            file.metadata()
        });
        match read {
            Ok(known) if known.is_file() => {
                let content = Self::of_bytes(&bytes);
                (Ok(bytes), content)
            }
            Ok(_) => (Ok(bytes), Self::Stream),
            Err(error) => (Err(error), Self::Unreadable),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The hash of a weak secret can be guessed.
        f.write_str(match self {
            Self::Unreadable => "Unreadable",
            Self::Stream => "Stream",
            Self::Bytes(_) => "Bytes(..)",
        })
    }
}
