//! Where the configuration of a process comes from, so that it can be read again when it changes.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use toml::{Table, Value};

use crate::{Error, config};

/// A configuration file, if there is one, and the variables that override it.
#[derive(Clone)]
pub struct ConfigSource {
    file: Option<PathBuf>,
    variables: Vec<(String, String)>,
}

/// What is known of a file without reading it; `None` if it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(PathBuf, Option<(SystemTime, u64, u64)>);

impl ConfigSource {
    /// Names the file, and the environment as it is ([`crate::apply_overrides`] says what counts of it).
    pub fn new(file: Option<PathBuf>, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { file, variables: variables.into_iter().filter(|(name, _)| config::is_read(name)).collect() }
    }

    /// Reads the configuration as it is now.
    ///
    /// # Errors
    /// A file that cannot be read, or a variable that leads nowhere.
    pub fn read(&self) -> Result<Table, Error> {
        let mut table = self.file.as_deref().map_or_else(|| Ok(Table::new()), config::read)?;
        config::apply_standard(&mut table, &self.variables)?;
        config::apply_overrides(&mut table, self.variables.iter().cloned())?;
        Ok(table)
    }

    /// The state of the file and of others that it names.
    pub(crate) fn stamps(&self, named: &[PathBuf]) -> Vec<Stamp> {
        self.file.iter().chain(named).map(|file| Stamp::of(file)).collect()
    }
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A variable may hold what it should not.
        formatter.debug_struct("ConfigSource").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Stamp {
    fn of(file: &Path) -> Self {
        let known = fs::metadata(file).ok();
        let known = known.and_then(|known| Some((known.modified().ok()?, known.len(), known.ino())));
        Self(file.to_owned(), known)
    }
}

/// The files that a configuration names as secrets (`{ file = "..." }`).
pub(crate) fn files(table: &Table) -> Vec<PathBuf> {
    let mut files = Vec::new();
    table.values().for_each(|value| collect(value, &mut files));
    files
}

/// Their state.
pub(crate) fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| Stamp::of(file)).collect()
}

fn collect(value: &Value, files: &mut Vec<PathBuf>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, files)),
        Value::Table(table) => match table.get("file") {
            Some(Value::String(file)) if table.len() == 1 => files.push(file.into()),
            _ => table.values().for_each(|value| collect(value, files)),
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_changes_is_seen_wherever_it_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        let text = format!("[[accounts]]\nlogin = {{ password = {{ file = {secret:?} }} }}\n[log]\nfile = 7");
        let table: Table = text.parse().unwrap();
        let now = || stamps(&files(&table));
        let missing = now();
        assert_eq!(missing.len(), 1);
        fs::write(&secret, "one").unwrap();
        let first = now();
        assert_ne!(missing, first);
        assert_eq!(first, now());
        fs::write(&secret, "two, which is longer").unwrap();
        assert_ne!(first, now());
    }

    #[test]
    fn variables_are_not_printed() {
        let source = ConfigSource::new(None, [("ISPBRIDGE__A__B".to_owned(), "hunter2".to_owned())]);
        assert_eq!(source.read().unwrap()["a"]["b"].as_str(), Some("hunter2"));
        assert!(!format!("{source:?}").contains("hunter2"));
    }
}
