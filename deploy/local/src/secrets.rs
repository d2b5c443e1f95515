//! Secrets of one run: files in a folder that only this user can open, gone when the run ends.

use std::{fs, fs::Permissions, io, os::unix::fs::PermissionsExt};

use tempfile::TempDir;
use toml::{Table, Value};

/// The folder.
#[derive(Debug)]
pub(crate) struct Secrets(TempDir);

impl Secrets {
    pub(crate) fn open() -> io::Result<Self> {
        tempfile::Builder::new().prefix("ispbridge-").permissions(Permissions::from_mode(0o700)).tempdir().map(Self)
    }

    /// Keeps a secret and returns the reference that a configuration holds in its place.
    pub(crate) fn keep(&self, name: &str, secret: &str) -> io::Result<Value> {
        let path = self.0.path().join(name);
        fs::write(&path, secret)?;
        let path = path.into_os_string().into_string().map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "the folder for temporary files is not named in UTF-8")
        })?;
        Ok(Value::Table(Table::from_iter([("file".to_owned(), Value::String(path))])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_can_open_the_folder_and_nothing_is_left_of_it() {
        let secrets = Secrets::open().unwrap();
        let folder = secrets.0.path().to_owned();
        let reference = secrets.keep("token", "s3cret").unwrap();
        assert_eq!(fs::read_to_string(reference["file"].as_str().unwrap()).unwrap(), "s3cret");
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        drop(secrets);
        assert!(!folder.exists());
    }
}
