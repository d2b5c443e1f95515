//! Where the configuration of a process comes from, so that it can be read again when it changes.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    document::Document,
    error::Error,
    file,
    note::{Noted, noting},
};

/// A configuration file, if there is one, and the variables that override it.
#[derive(Clone)]
pub struct ConfigSource {
    file: Option<PathBuf>,
    /// Why there is no file, if there should have been one.
    absent: Option<String>,
    variables: Vec<(String, String)>,
    /// What the file held when it was read last.
    noted: Arc<Mutex<Noted>>,
}

impl ConfigSource {
    /// Names the file, and the environment as it is: `ISPBRIDGE__A__B` sets `a.b`, and the standard variables of OpenTelemetry
    /// and Consul count where the file says nothing.
    pub fn new(file: Option<PathBuf>, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter().filter(|(name, _)| file::is_read(name)).collect();
        Self { file, absent: None, variables, noted: Arc::default() }
    }

    /// Says why there is no file: the first that an operator hears if the configuration then lacks something.
    #[must_use]
    pub fn absent(mut self, why: String) -> Self {
        self.absent = Some(why);
        self
    }

    /// Reads the configuration as it is now. Files that it names are relative to its own.
    ///
    /// # Errors
    /// A file that cannot be read, or a variable that leads nowhere.
    pub fn read(&self) -> Result<Document, Error> {
        let read = || match &self.file {
            Some(path) => file::read(path),
            None => Ok(Document::absent(self.absent.clone())),
        };
        let (document, noted) = noting(read);
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = noted;
        let mut document = document?;
        file::complete(&mut document, &self.variables)?;
        Ok(document)
    }

    /// The file, with what it held when it was read last.
    #[must_use]
    pub fn noted(&self) -> Noted {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A variable may hold what it should not.
        formatter.debug_struct("ConfigSource").field("file", &self.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_not_printed() {
        let source = ConfigSource::new(None, [("ISPBRIDGE__A__B".to_owned(), "hunter2".to_owned())]);
        assert_eq!(source.read().unwrap()["a"]["b"].as_str(), Some("hunter2"));
        assert!(!format!("{source:?}").contains("hunter2"));
    }
}
