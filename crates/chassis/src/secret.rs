//! A secret of the chassis' own keys, given by reference and never shown.

use std::{fmt, fs};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};

/// A text that was read from `{ file = "..." }` or `{ env = "NAME" }`; it has no readable form.
#[derive(Clone)]
pub struct Secret(SecretString);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    file: Option<std::path::PathBuf>,
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

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(REDACTED)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The derived message of a wrong type would print the value, and a text that stands here is most likely the secret.
        let reference = Reference::deserialize(deserializer)
            .map_err(|_| de::Error::custom("a secret is given as { file = \"...\" } or { env = \"NAME\" }"))?;
        resolve(&reference).map(Self::new).map_err(de::Error::custom)
    }
}

fn resolve(reference: &Reference) -> Result<String, String> {
    let text = match (&reference.file, &reference.env) {
        (Some(file), None) => {
            fs::read_to_string(file).map_err(|error| format!("cannot read {}: {}", file.display(), error.kind()))?
        }
        (None, Some(name)) => variable(name)?,
        _ => return Err("a secret has exactly one of file and env".to_owned()),
    };
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("the secret is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

#[allow(clippy::disallowed_methods, reason = "the configuration itself names the variable")]
fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("the variable {name} is not set, or is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_file_is_read_without_its_last_line_end_and_is_not_printed() {
        let path = std::env::temp_dir().join(format!("chassis-secret-{}", std::process::id()));
        fs::write(&path, "s3cret words\n").unwrap();
        let table: toml::Table = toml::from_str(&format!("secret = {{ file = {path:?} }}")).unwrap();
        let holder: Holder = table.try_into().unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(holder.secret.expose(), "s3cret words");
        assert!(!format!("{holder:?}").contains("s3cret"));
    }

    #[test]
    fn both_references_at_once_are_refused() {
        let table: toml::Table = toml::from_str("secret = { file = \"a\", env = \"B\" }").unwrap();
        assert!(table.try_into::<Holder>().unwrap_err().to_string().contains("exactly one"));
    }
}
