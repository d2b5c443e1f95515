//! Who is calling: API keys, kept only as their SHA-256 hash.

use std::{collections::HashMap, sync::Arc};

use aws_lc_rs::{digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tonic::Code;

use crate::{answer::Answer, limits::Quota, policy::Grant};

/// The header that carries the caller's API key.
pub(crate) const API_KEY: &str = "x-api-key";

/// Longest key that is looked at; a longer one is wrong without being hashed.
const KEY_BYTES: usize = 256;

/// How an API key is written in the configuration: `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes a key.
    pub fn of(key: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
        Self(hash)
    }
}

impl std::fmt::Display for KeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

impl TryFrom<String> for KeyHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // The text is not repeated in the error: it may be a key put there by mistake.
        const FORM: &str = "an entry of api_keys must be \"sha256:\" and 64 hex digits; \
                            `ispbridge-gateway keys hash` makes one of a key";
        let hex = text.strip_prefix("sha256:").ok_or(FORM)?;
        let mut hash = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return Err(FORM);
        }
        for (index, byte) in hash.iter_mut().enumerate() {
            let digits = &hex[index * 2..index * 2 + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| FORM)?;
        }
        Ok(Self(hash))
    }
}

/// Makes a fresh random key of 256 bits.
pub fn new_key() -> Result<String, &'static str> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| "the system gave no random bytes")?;
    Ok(format!("ispb_{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// A caller that is known.
#[derive(Debug)]
pub(crate) struct Principal {
    /// Its name in the configuration, in logs and in the caller context.
    pub(crate) name: Arc<str>,
    /// What it may do.
    pub(crate) grants: Vec<Grant>,
    /// How much it takes, and may.
    pub(crate) quota: Arc<Quota>,
}

/// Everybody who may call, by the hash of their keys.
#[derive(Debug, Default)]
pub(crate) struct Principals {
    by_key: HashMap<KeyHash, Arc<Principal>>,
}

impl Principals {
    /// Lets a principal in with any of its keys.
    pub(crate) fn admit(&mut self, keys: &[KeyHash], principal: &Arc<Principal>) {
        let entries = keys.iter().map(|key| (*key, Arc::clone(principal)));
        self.by_key.extend(entries);
    }

    /// Finds out who is calling; a missing and a wrong key get the same answer.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<&Arc<Principal>, Box<Answer>> {
        presented_key(headers).and_then(|key| self.find(&KeyHash::of(key))).ok_or_else(|| {
            let text = "a valid API key is required in the header x-api-key";
            Answer::new(Code::Unauthenticated, "CREDENTIALS_INVALID", text)
        })
    }

    fn find(&self, presented: &KeyHash) -> Option<&Arc<Principal>> {
        let (stored, principal) = self.by_key.get_key_value(presented)?;
        bool::from(stored.0.ct_eq(&presented.0)).then_some(principal)
    }
}

/// The one key of the request; two of them are none, because it is not clear which is meant.
fn presented_key(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(API_KEY).into_iter();
    let key = values.next()?.to_str().ok()?;
    let alone = values.next().is_none();
    (alone && !key.is_empty() && key.len() <= KEY_BYTES).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::QuotaLimits;

    fn one(key: &str) -> Principals {
        let name: Arc<str> = "billing".into();
        let quota = Quota::new(Arc::clone(&name), QuotaLimits { in_flight: 1, rate: None, burst: 1.0 });
        let principal = Principal { name, grants: Vec::new(), quota: Arc::new(quota) };
        let mut principals = Principals::default();
        principals.admit(&[KeyHash::of(key)], &Arc::new(principal));
        principals
    }

    fn with_keys(keys: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for key in keys {
            headers.append(API_KEY, key.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_right_key_and_only_it_gets_in() {
        let principals = one("ispb_right");
        let found = principals.authenticate(&with_keys(&["ispb_right"])).unwrap();
        assert_eq!(&*found.name, "billing");
        for wrong in [&["ispb_righ"][..], &["ispb_right1"], &["ISPB_RIGHT"], &[""], &[]] {
            let refused = principals.authenticate(&with_keys(wrong)).unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated, "{wrong:?}");
        }
        let two = with_keys(&["ispb_right", "ispb_right"]);
        assert!(principals.authenticate(&two).is_err());
    }

    #[test]
    fn a_hash_survives_being_written_and_read() {
        let hash = KeyHash::of("ispb_a");
        assert!(KeyHash::try_from(hash.to_string()).unwrap() == hash);
        // SHA-256 of "abc", FIPS 180-4 example.
        let known = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyHash::of("abc").to_string(), known);
    }

    #[test]
    fn a_bad_hash_is_refused_without_being_repeated() {
        for text in ["ispb_secret", "sha256:12", "sha256:", &format!("sha256:{}", "g".repeat(64))] {
            let error = KeyHash::try_from(text.to_owned()).unwrap_err();
            assert!(!error.contains("ispb_secret"), "{error}");
        }
    }

    #[test]
    fn new_keys_differ() {
        assert_ne!(new_key().unwrap(), new_key().unwrap());
    }
}
