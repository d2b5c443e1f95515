//! `vocabulary.toml`: our field names -> theirs, and how each value is written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::TableError;

/// A provider's words; the file's form is described in docs/vocabulary.md.
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
    use super::{super::format, *};

    #[test]
    fn refuses_unknown_keys() {
        assert!(Vocabulary::parse("[names]\na = \"b\"").is_ok());
        assert!(Vocabulary::parse("[nmes]\na = \"b\"").is_err());
        assert!(Vocabulary::parse("[message.X]\na = { nam = \"b\" }").is_err());
    }

    /// The words that begin the first cells of the table under a heading of the document.
    fn documented(heading: &str) -> Vec<String> {
        let text = include_str!("../../../../docs/vocabulary.md");
        let section = text.split("\n## ").find(|section| section.starts_with(heading)).expect("a heading");
        let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
        let words = cells.flat_map(|cell| cell.split("`, `").map(|text| text.trim_end_matches('`')));
        let mut words: Vec<String> = words.filter_map(|text| Some(text.split(' ').next()?.to_owned())).collect();
        words.dedup();
        words
    }

    #[test]
    fn the_document_lists_every_key_and_format() {
        let sorted = |words: &[String]| words.iter().cloned().collect::<std::collections::BTreeSet<_>>();
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let unknown = toml::from_str::<FullRule>("nope = 1").expect_err("no key").to_string();
        let keys: Vec<String> = unknown.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        assert_eq!(sorted(&documented("Fields")), sorted(&keys), "{unknown}");
        assert_eq!(sorted(&documented("Value formats")), sorted(&owned(&format::VALUES)));
        assert_eq!(sorted(&documented("List formats")), sorted(&owned(&format::LISTS)));
    }
}
