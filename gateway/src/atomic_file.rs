//! Files that are replaced as a whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A file beside another, called the same and more.
pub(crate) fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(more);
    name.into()
}

/// Puts a text into a file so that whoever reads it gets the old one or the new one, whole.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let fresh = beside(path, "new");
    let mut file = File::create(&fresh)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}
