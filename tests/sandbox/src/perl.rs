//! Values as a Perl program holds them, whatever wire they travel on.

pub(crate) mod json;

use std::collections::BTreeMap;

/// What a Perl program returns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Perl {
    /// A text; whatever comes from the database is one, numbers too.
    Text(String),
    /// A number the program computed itself; only JSON tells it from a text.
    Number(i64),
    /// SQL's NULL.
    Undef,
    /// Members in the order they are to be written; Perl's own order is random.
    Hash(Vec<(String, Perl)>),
    Array(Vec<Perl>),
}

/// The hash of a call; an array is several values, what is absent reads as empty.
#[derive(Debug, Default)]
pub(crate) struct Arguments(BTreeMap<String, Vec<String>>);

impl Perl {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn hash<K: Into<String>>(members: impl IntoIterator<Item = (K, Perl)>) -> Self {
        Self::Hash(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    pub(crate) fn array(items: impl IntoIterator<Item = Perl>) -> Self {
        Self::Array(items.into_iter().collect())
    }

    /// A scalar as the text it reads as; `None` for a reference.
    pub(crate) fn scalar(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Undef => Some(String::new()),
            Self::Hash(_) | Self::Array(_) => None,
        }
    }
}

impl From<&serde_json::Value> for Perl {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Undef,
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Array(items) => Self::array(items.iter().map(Self::from)),
            serde_json::Value::Object(members) => Self::hash(members.iter().map(|(key, value)| (key, value.into()))),
            other => Self::Text(other.to_string()),
        }
    }
}

impl Arguments {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.all(name).first().map(String::as_str).unwrap_or_default()
    }

    /// Whether an attribute was sent at all; some act by their presence alone.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.keys().map(|name| (name.as_str(), self.get(name)))
    }

    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a filter lets a text pass; one that was not sent lets everything pass.
    pub(crate) fn admits(&self, filter: &str, text: &str) -> bool {
        ["", text].contains(&self.get(filter))
    }
}

impl FromIterator<(String, Vec<String>)> for Arguments {
    fn from_iter<I: IntoIterator<Item = (String, Vec<String>)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}
