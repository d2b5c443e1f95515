//! Where the grants of a configuration stand.

use std::{collections::HashMap, fs, path::Path};

use toml::de::{DeTable, DeValue};

use crate::policy::grant::Place;

/// Where the grants of the configuration begin, as `file:line`.
#[derive(Debug, Default)]
pub(super) struct Lines(HashMap<usize, String>);

impl Lines {
    /// Reads the lines of a file; without one nothing is known of them.
    pub(super) fn of(config: Option<&Path>) -> Self {
        let text = config.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        let file = config.map(|file| file.display().to_string()).unwrap_or_default();
        let Ok(table) = DeTable::parse(&text) else {
            return Self::default();
        };
        let Some(DeValue::Array(grants)) = table.get_ref().get("grants").map(|grants| grants.get_ref()) else {
            return Self::default();
        };
        let line = |start: usize| text[..start].matches('\n').count() + 1;
        let lines =
            grants.iter().enumerate().map(|(index, grant)| (index, format!("{file}:{}", line(grant.span().start))));
        Self(lines.collect())
    }

    /// A place with its line, if that is known.
    pub(super) fn place(&self, place: Place) -> String {
        let line = match place {
            Place::Config(index) => self.0.get(&index),
            _ => None,
        };
        line.map_or_else(|| place.to_string(), |line| format!("{place} ({line})"))
    }
}
