//! The keys of the caller context: the gateway's root and what every service gets of it.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::Signer;

const DERIVATION: &str = "ispbridge caller context v1 ";
const ROOT_BYTES: usize = 32;

/// The key of one service, derived from the gateway's root.
pub struct ServiceKey {
    bytes: [u8; 32],
    pub(super) key: hmac::Key,
}

/// The gateway's root, from which the key of every service comes.
pub struct Root {
    id: String,
    key: hmac::Key,
}

/// What keeps a key from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An id is part of the header.
    #[error("must be 1 to 64 letters, digits, - or _")]
    Id,
    /// A root must not be guessed.
    #[error("must have at least 32 bytes")]
    ShortRoot,
    /// The key of a service has a fixed form.
    #[error(
        "must be the key that `ispbridge-gateway callers derive` makes for this service: 32 bytes in base64url without padding"
    )]
    NotAServiceKey,
    /// Two keys have one name.
    #[error("must not be the id of another key")]
    Twice,
}

impl KeyError {
    /// The part of a key's entry in a configuration that is wrong.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Id | Self::Twice => "id",
            Self::ShortRoot | Self::NotAServiceKey => "secret",
        }
    }
}

impl Root {
    /// Takes the root; every byte of the text counts.
    ///
    /// # Errors
    /// [`KeyError::Id`] and [`KeyError::ShortRoot`].
    pub fn new(id: &str, root: &str) -> Result<Self, KeyError> {
        check_id(id)?;
        if root.len() < ROOT_BYTES {
            return Err(KeyError::ShortRoot);
        }
        Ok(Self { id: id.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, root.as_bytes()) })
    }

    /// The key of a service, e.g. `ispbridge-aex`.
    #[must_use]
    pub fn derive(&self, service: &str) -> ServiceKey {
        let tag = hmac::sign(&self.key, format!("{DERIVATION}{service}").as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        ServiceKey::new(bytes)
    }

    /// Signs for a service.
    #[must_use]
    pub fn signer(&self, service: &str) -> Signer {
        Signer::new(self.id.clone(), self.derive(service))
    }
}

impl ServiceKey {
    fn new(bytes: [u8; 32]) -> Self {
        Self { bytes, key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) }
    }

    /// The form in which a service's configuration refers to the key; a secret.
    #[must_use]
    pub fn to_text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.bytes)
    }

    /// Reads [`Self::to_text`].
    ///
    /// # Errors
    /// [`KeyError::NotAServiceKey`].
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        match BASE64_URL_SAFE_NO_PAD.decode_slice(text.trim(), &mut bytes) {
            Ok(32) => Ok(Self::new(bytes)),
            _ => Err(KeyError::NotAServiceKey),
        }
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServiceKey(REDACTED)")
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Root").field("id", &self.id).finish_non_exhaustive()
    }
}

pub(super) fn check_id(id: &str) -> Result<(), KeyError> {
    let fine =
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    fine.then_some(()).ok_or(KeyError::Id)
}
