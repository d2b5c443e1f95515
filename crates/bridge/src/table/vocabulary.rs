//! `vocabulary.toml`: our field names -> theirs, and how each value is written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::TableError;

/// A provider's words; the file's form is described in the README under "Vocabulary".
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    #[serde(flatten)]
    base: Sections,
    /// Sections that hold for one dialect only and win over the rest.
    #[serde(default)]
    dialect: BTreeMap<String, Sections>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Sections {
    #[serde(default)]
    defaults: Defaults,
    #[serde(default)]
    pub(super) names: BTreeMap<String, FieldRule>,
    #[serde(default)]
    pub(super) message: BTreeMap<String, BTreeMap<String, FieldRule>>,
    #[serde(default)]
    pub(super) request: BTreeMap<String, BTreeMap<String, FieldRule>>,
    #[serde(default)]
    pub(super) reply: BTreeMap<String, BTreeMap<String, FieldRule>>,
    #[serde(default, rename = "enum")]
    pub(super) enums: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    boolean: Option<String>,
    date: Option<String>,
    /// What `false` means where the contract has no boolean.
    #[serde(rename = "false")]
    no: Option<No>,
}

/// What `false` stands for, besides itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum No {
    /// Nothing: PHP writes `false` for a value that is not there.
    Absent,
}

/// What the vocabulary says of one field: a name, or a name and more.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum FieldRule {
    Name(String),
    Full(FullRule),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FullRule {
    pub(super) name: Option<String>,
    pub(super) format: Option<String>,
    pub(super) list: Option<String>,
    pub(super) required: Option<bool>,
}

/// Whether a table is for what we send or for what we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    Request,
    Reply,
}

impl Vocabulary {
    /// Reads the text of a `vocabulary.toml`.
    ///
    /// # Errors
    /// [`TableError`] with the place in the text.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        toml::from_str(text).map_err(|error| TableError(error.to_string()))
    }

    /// The sections that hold for `dialect`, the winning ones first.
    pub(super) fn sections(&self, dialect: Option<&str>) -> Vec<&Sections> {
        let special = dialect.and_then(|name| self.dialect.get(name));
        special.into_iter().chain([&self.base]).collect()
    }
}

impl Sections {
    /// All that these sections say of a field, the narrowest first.
    pub(super) fn words(&self, message: &str, field: &str, direction: Direction) -> impl Iterator<Item = FullRule> {
        let directed = if direction == Direction::Request { &self.request } else { &self.reply };
        let narrow = [directed, &self.message].into_iter().filter_map(move |section| section.get(message)?.get(field));
        narrow.chain(self.names.get(field)).map(FieldRule::full).collect::<Vec<_>>().into_iter()
    }

    pub(super) fn default_format(&self, boolean: bool) -> Option<&str> {
        if boolean { self.defaults.boolean.as_deref() } else { self.defaults.date.as_deref() }
    }

    pub(super) fn false_is_absent(&self) -> bool {
        self.defaults.no == Some(No::Absent)
    }

    /// Every message section with the fields it names.
    pub(super) fn messages(&self) -> impl Iterator<Item = (&String, &BTreeMap<String, FieldRule>)> {
        self.message.iter().chain(&self.request).chain(&self.reply)
    }
}

impl FieldRule {
    fn full(&self) -> FullRule {
        match self {
            FieldRule::Name(name) => FullRule { name: Some(name.clone()), ..FullRule::default() },
            FieldRule::Full(word) => word.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_unknown_keys() {
        assert!(Vocabulary::parse("[names]\na = \"b\"").is_ok());
        assert!(Vocabulary::parse("[nmes]\na = \"b\"").is_err());
        assert!(Vocabulary::parse("[message.X]\na = { nam = \"b\" }").is_err());
    }
}
