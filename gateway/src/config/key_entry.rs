//! One entry of the key file.

use std::fmt;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    config::pattern::{AccountPattern, MethodPattern},
    key::KeyHash,
};

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyEntry {
    /// Its principal.
    pub(crate) name: String,
    /// Its hash.
    pub(crate) hash: KeyHash,
    /// When it was created.
    pub(crate) created: String,
    /// When it expires. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Expiry>,
    /// Groups of its owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    /// Its own grants, in addition to those of its principal and groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) grants: Vec<KeyGrant>,
}

/// What a key is granted, written `METHODS@ACCOUNTS`: patterns as in `[[grants]]`, with commas between them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct KeyGrant {
    text: String,
    /// Which methods.
    pub(crate) methods: Vec<MethodPattern>,
    /// With which accounts.
    pub(crate) accounts: Vec<AccountPattern>,
}

/// The time from which a key is refused: `2027-01-01T12:00:00Z`, or `2027-01-01` for the beginning of that day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "TimeValue")]
pub(crate) struct Expiry(pub(crate) Timestamp);

/// What may be written for a time.
#[derive(Deserialize)]
#[serde(untagged)]
enum TimeValue {
    Text(String),
    Other(serde::de::IgnoredAny),
}

/// The position of an entry in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryPosition {
    /// Its number, from 0.
    pub(crate) index: usize,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// The id of its key, if the hash can be read.
    pub(crate) id: Option<String>,
}

/// An invalid entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadEntry {
    /// Its position.
    pub(crate) position: EntryPosition,
    /// The complete error, without secrets.
    said: String,
}

impl KeyEntry {
    /// Whether the key is valid now; reads the clock only if it can expire.
    pub(crate) fn is_good(&self) -> bool {
        self.expires.is_none_or(|expires| !expires.is_over(Timestamp::now()))
    }
}

impl EntryPosition {
    /// Says what is wrong with a field, or with the entry if no field is named.
    pub(crate) fn bad(self, field: &str, problem: impl fmt::Display) -> BadEntry {
        let said = match field {
            "" => format!("{self}: {problem}"),
            field => format!("{self}: {field}: {problem}"),
        };
        BadEntry { position: self, said }
    }
}

impl fmt::Display for EntryPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, line, id } = self;
        match id {
            Some(id) => write!(f, "keys[{index}] (line {line}, id {id})"),
            None => write!(f, "keys[{index}] (line {line})"),
        }
    }
}

impl BadEntry {
    /// A table or key other than `[[keys]]`, most likely a misspelling.
    pub(crate) fn stray(name: &str, line: usize) -> Self {
        let said = format!("{name} (line {line}) must not be there: each key begins with [[keys]]");
        Self { position: EntryPosition { index: 0, line, id: None }, said }
    }
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl TryFrom<String> for KeyGrant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let form = || "must be METHODS@ACCOUNTS, such as reads@aex/main or *@aex/*,azotel/main".to_owned();
        let (methods, accounts) = text.split_once('@').ok_or_else(form)?;
        let parts = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
        let methods = parts(methods).into_iter().map(MethodPattern::try_from).collect::<Result<_, _>>()?;
        let accounts = parts(accounts).into_iter().map(AccountPattern::try_from).collect::<Result<_, _>>()?;
        Ok(Self { methods, accounts, text })
    }
}

impl fmt::Display for KeyGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for KeyGrant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Expiry {
    /// Parses a time.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "must be a time: 2027-01-01, or 2027-01-01T12:00:00Z";
        let begins = |day: Date| day.to_zoned(TimeZone::UTC).map(|begins| begins.timestamp());
        // A parser of dates would take a time without its zone, and forget it.
        let time = text.parse().or_else(|_| Date::strptime("%Y-%m-%d", text).and_then(begins));
        time.map(Self).map_err(|_| FORM)
    }

    /// Whether it has passed.
    pub(crate) fn is_over(self, now: Timestamp) -> bool {
        now >= self.0
    }
}

impl TryFrom<TimeValue> for Expiry {
    type Error = &'static str;

    fn try_from(written: TimeValue) -> Result<Self, Self::Error> {
        match written {
            TimeValue::Text(text) => Self::parse(&text),
            TimeValue::Other(_) => Self::parse(""),
        }
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_day_or_a_moment() {
        #[derive(Deserialize)]
        struct Holder {
            expires: Expiry,
        }
        let day = "2027-01-01T00:00:00Z";
        for (text, expected) in [
            ("\"2027-01-01\"", day),
            ("\"2027-01-01T02:00:00+02:00\"", day),
            ("\"2027-01-01T12:30:00Z\"", "2027-01-01T12:30:00Z"),
        ] {
            let read: Holder = toml::from_str(&format!("expires = {text}")).unwrap();
            assert_eq!(read.expires.to_string(), expected, "{text}");
        }
        for text in ["\"soon\"", "\"2027-01-01T12:30:00\"", "2027-01-01T12:30:00", "12:30:00", "7", "true", "\"\""] {
            let error = toml::from_str::<Holder>(&format!("expires = {text}")).err().unwrap();
            assert!(error.message().contains("must be a time"), "{text}: {error}");
        }
    }
}
