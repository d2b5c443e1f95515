//! The words of a subcommand: names, and options with a value.

use std::path::{Path, PathBuf};

/// Words that were taken apart.
#[derive(Debug, Default)]
pub(super) struct Words<'a> {
    /// What is no option, in order.
    pub(super) names: Vec<&'a str>,
    options: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    /// Takes words apart; every option is one of `known` and has a value.
    pub(super) fn parse(words: &[&'a str], known: &[&str]) -> Result<Self, String> {
        let mut parsed = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix("--").map(|option| option.split_once('=').unwrap_or((option, ""))) {
                None => parsed.names.push(word),
                Some((name, _)) if !known.contains(&name) => return Err(format!("--{name} is no option here")),
                Some((name, "")) => {
                    let value = words.next().ok_or_else(|| format!("--{name} needs a value"))?;
                    parsed.options.push((name, value));
                }
                Some(option) => parsed.options.push(option),
            }
        }
        Ok(parsed)
    }

    /// All values of an option.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The last value of an option.
    pub(super) fn last(&self, name: &str) -> Option<&'a str> {
        self.all(name).last()
    }

    /// The configuration file that is named.
    pub(super) fn config(&self) -> Option<&'a Path> {
        self.last("config").map(Path::new)
    }

    /// The file of keys: named itself, or in the configuration.
    pub(super) fn key_file(&self) -> Result<PathBuf, String> {
        if let Some(file) = self.last("file") {
            return Ok(file.into());
        }
        let table =
            chassis::config_source::<crate::Gateway>(self.config()).read().map_err(|error| error.to_string())?;
        let file = table.get("keys").and_then(|keys| keys.get("file")?.as_str());
        file.map(PathBuf::from)
            .ok_or_else(|| "name the file with --file, or a configuration with [keys] file".to_owned())
    }
}
