//! API keys, kept only as their SHA-256 hash: a key has 256 random bits, so there is nothing to guess from the hash.

use std::fmt;

use aws_lc_rs::{digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;

/// Longest key; a longer one is refused without hashing.
const KEY_BYTES: usize = 256;

/// How an API key is written in the configuration: `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes a key.
    pub fn of(key: &str) -> Self {
        Self(sha256(key.as_bytes()))
    }

    /// Hashes what a caller sent, if it may be a key at all.
    pub(crate) fn of_presented(key: &str) -> Option<Self> {
        (!key.is_empty() && key.len() <= KEY_BYTES).then(|| Self::of(key))
    }

    /// Compares without telling where the first difference is.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Its first eight digits, by which people call the key.
    pub(crate) fn id(&self) -> String {
        self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The SHA-256 hash of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for KeyHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // The text is not repeated in the error: it may be a key put there by mistake.
        const FORM: &str = "must be \"sha256:\" and 64 hex digits; \
                            `ispbridge-gateway keys hash` makes that of a key";
        let hex = text.strip_prefix("sha256:").ok_or(FORM)?;
        let mut hash = [0; 32];
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_survives_being_written_and_read() {
        let hash = KeyHash::of("ispb_a");
        assert!(KeyHash::try_from(hash.to_string()).unwrap().is(&hash));
        assert!(!KeyHash::of("ispb_b").is(&hash));
        // SHA-256 of "abc", FIPS 180-4 example.
        let known = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyHash::of("abc").to_string(), known);
        assert_eq!(KeyHash::of("abc").id(), "ba7816bf");
    }

    #[test]
    fn a_bad_hash_is_refused_without_being_repeated() {
        for text in ["ispb_secret", "sha256:12", "sha256:", &format!("sha256:{}", "g".repeat(64))] {
            let error = KeyHash::try_from(text.to_owned()).unwrap_err();
            assert!(!error.contains("ispb_secret"), "{error}");
        }
        assert!(KeyHash::try_from(format!("sha256:{}", "+1".repeat(32))).is_err());
    }

    #[test]
    fn a_key_that_is_too_long_or_empty_is_not_hashed() {
        assert!(KeyHash::of_presented(&"x".repeat(256)).is_some());
        assert!(KeyHash::of_presented(&"x".repeat(257)).is_none() && KeyHash::of_presented("").is_none());
    }

    #[test]
    fn new_keys_differ() {
        assert_ne!(new_key().unwrap(), new_key().unwrap());
    }
}
