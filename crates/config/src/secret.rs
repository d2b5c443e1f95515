//! A secret: named in the configuration, held in memory, never printed.

use std::{borrow::Cow, fmt, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};

use crate::note::{read_text, said_of_file};

/// How a secret is written down.
const FORM: &str = "must be { file = \"...\" } or { env = \"NAME\" }";

/// A text that was read from `{ file = "..." }` or `{ env = "NAME" }`; it has no readable form.
///
/// The reference is followed when the configuration is read. A plain text in its place is refused, so that no secret
/// stands in a configuration file.
#[derive(Clone)]
pub struct Secret(SecretString);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    file: Option<PathBuf>,
    env: Option<String>,
}

impl Secret {
    /// Wraps a text that is already at hand.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret itself, for the one place that uses it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(REDACTED)")
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "format": "secret" })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The derived message of a wrong type would print the value, and a text that stands here is most likely the secret.
        let reference = Reference::deserialize(deserializer).map_err(|error| match is_missing(&error) {
            true => error,
            false => de::Error::custom(FORM),
        })?;
        resolve(&reference).map(Self::new).map_err(de::Error::custom)
    }
}

/// Whether there is no value at all.
fn is_missing(error: &impl fmt::Display) -> bool {
    error.to_string().starts_with("missing field ")
}

fn resolve(reference: &Reference) -> Result<String, String> {
    let text = match (&reference.file, &reference.env) {
        (Some(file), None) => {
            let unread =
                |error| format!("must be a file that can be read: {}: {}", file.display(), said_of_file(&error));
            read_text(file).map_err(unread)?
        }
        (None, Some(name)) => variable(name)?,
        _ => return Err(FORM.to_owned()),
    };
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("must not be empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the configuration itself names the variable")]
fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("must be a variable that is set, in UTF-8: {name}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        content::Content,
        note::{Noted, noting},
    };

    #[derive(Debug, Deserialize)]
    struct Holder {
        secret: Secret,
    }

    #[test]
    fn a_text_in_place_of_a_reference_is_refused_without_being_printed() {
        let error = toml::from_str::<toml::Table>("secret = \"hunter2\"")
            .unwrap()
            .try_into::<Holder>()
            .unwrap_err()
            .to_string();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.contains("{ file = "), "{error}");
    }

    #[test]
    fn a_file_is_read_without_its_last_line_end_noted_and_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "s3cret words\n").unwrap();
        let text = format!("secret = {{ file = {path:?} }}");
        let (holder, noted) = noting(|| toml::from_str::<Holder>(&text).unwrap());
        assert_eq!(holder.secret.expose(), "s3cret words");
        assert!(!format!("{holder:?}").contains("s3cret"));
        assert_eq!(noted, Noted::from([(path, Content::of_bytes(b"s3cret words\n"))]));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_noted() {
        for text in ["{ env = \"ISPBRIDGE_TEST_NOT_SET\" }", "{ file = \"a\", env = \"B\" }", "{}"] {
            assert!(toml::from_str::<Holder>(&format!("secret = {text}")).is_err(), "{text}");
        }
        let (read, noted) = noting(|| toml::from_str::<Holder>("secret = { file = \"/nowhere/secret\" }"));
        assert!(read.unwrap_err().message().contains("/nowhere/secret"));
        assert_eq!(noted, Noted::from([("/nowhere/secret".into(), Content::Unreadable)]));
        let variable: Holder = toml::from_str("secret = { env = \"PATH\" }").unwrap();
        assert!(!variable.secret.expose().is_empty());
    }
}
