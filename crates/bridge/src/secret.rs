//! Secrets: named in the configuration, held in memory, never printed.

use std::{fmt, path::PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// A secret that the configuration refers to: `{ file = "/run/secrets/token" }` or `{ env = "TOKEN" }`.
///
/// The reference is followed when the configuration is read; a plain text in its place is refused, so
/// that no secret stands in a configuration file.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Reference")]
pub struct Secret(SecretString);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    file: Option<PathBuf>,
    env: Option<String>,
}

impl Secret {
    /// The secret itself, for the moment in which it is put into a request.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(REDACTED)")
    }
}

impl TryFrom<Reference> for Secret {
    type Error = String;

    fn try_from(reference: Reference) -> Result<Self, String> {
        let text = match (reference.file, reference.env) {
            (Some(path), None) => {
                std::fs::read_to_string(&path).map_err(|error| format!("secret file {}: {error}", path.display()))?
            }
            (None, Some(name)) => read_variable(&name)?,
            _ => return Err("a secret is { file = \"...\" } or { env = \"...\" }".into()),
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() { Err("the secret is empty".into()) } else { Ok(Secret::from(text.to_owned())) }
    }
}

#[expect(clippy::disallowed_methods, reason = "the configuration names this very variable")]
fn read_variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("secret variable {name} is not set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        key: Secret,
    }

    #[test]
    fn only_references_are_taken() {
        let plain = toml::from_str::<Holder>("key = \"hunter2\"");
        assert!(plain.is_err() && !plain.err().unwrap().to_string().is_empty());
        assert!(toml::from_str::<Holder>("key = { env = \"ISPBRIDGE_TEST_NOT_SET\" }").is_err());
        assert!(toml::from_str::<Holder>("key = { env = \"A\", file = \"b\" }").is_err());
        let path: Holder = toml::from_str("key = { env = \"PATH\" }").unwrap();
        assert!(!path.key.expose().is_empty());
        assert_eq!(format!("{:?}", path.key), "Secret(REDACTED)");
    }
}
