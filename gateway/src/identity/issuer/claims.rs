//! A token before verification.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// Longest token that is accepted.
const TOKEN: usize = 12 << 10;
/// Longest id of a key.
const KEY_ID: usize = 256;
/// Headers that would influence verification, or forbid ours (RFC 7515, 4.1).
const REFUSED: [&str; 5] = ["jku", "jwk", "x5u", "crit", "b64"];

/// A token taken apart.
#[derive(Debug)]
pub(crate) struct Unverified<'a> {
    /// All of it.
    pub(crate) text: &'a str,
    /// The key that it names.
    pub(crate) key_id: Option<String>,
    /// Its `alg`; only keys with this algorithm are candidates.
    pub(crate) algorithm: Algorithm,
    /// Its claims.
    pub(crate) claims: Object,
}

/// A JSON object without duplicate names.
#[derive(Debug)]
pub(crate) struct Object(Map<String, Value>);

impl<'a> Unverified<'a> {
    /// Takes a token apart, if it is one in form.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('.');
        let (head, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || text.len() > TOKEN || signature.is_empty() {
            return None;
        }
        URL_SAFE_NO_PAD.decode(signature).ok()?;
        let head = Object::parse(head)?;
        if REFUSED.iter().any(|name| head.0.contains_key(*name)) {
            return None;
        }
        let key_id = match head.0.get("kid") {
            None => None,
            Some(Value::String(id)) if (1..=KEY_ID).contains(&id.len()) => Some(id.clone()),
            Some(_) => return None,
        };
        let algorithm = head.text("alg")?.parse().ok()?;
        Some(Self { text, key_id, algorithm, claims: Object::parse(claims)? })
    }
}

impl Object {
    fn parse(encoded: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
    }

    /// A claim that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A claim that is a time: a number, in seconds since 1970.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from f64 saturates")]
    pub(crate) fn time(&self, name: &str) -> Result<Option<u64>, ()> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                let whole = number.as_f64().filter(|seconds| *seconds >= 0.0).map(|seconds| seconds as u64);
                number.as_u64().or(whole).map(Some).ok_or(())
            }
            Some(_) => Err(()),
        }
    }

    /// The words at a path: each of a list of texts, or those of one text (as in `scope`, RFC 8693).
    pub(crate) fn words(&self, path: &str, words: &mut Vec<String>) {
        // A name with a dot in it (`https://example.com/groups`) is tried first.
        let found = self.0.get(path).or_else(|| {
            let mut steps = path.split('.');
            let first = self.0.get(steps.next()?)?;
            steps.try_fold(first, |value, step| value.get(step))
        });
        match found {
            Some(Value::String(text)) => {
                words.extend(text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned))
            }
            Some(Value::Array(items)) => words.extend(items.iter().filter_map(Value::as_str).map(str::to_owned)),
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let mut map = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if map.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name that comes twice"));
                    }
                }
                Ok(Object(map))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_words_or_lists_at_any_depth() {
        let object: Object = serde_json::from_str(
            r#"{"scope": "read  write", "realm": {"roles": ["a", 1, "b"]}, "https://x.example/groups": ["c"], "n": 1}"#,
        )
        .unwrap();
        let mut words = Vec::new();
        for path in ["scope", "realm.roles", "https://x.example/groups", "n", "realm.none", "realm"] {
            object.words(path, &mut words);
        }
        assert_eq!(words, ["read", "write", "a", "b", "c"]);
    }

    #[test]
    fn a_time_is_a_number_that_is_not_negative() {
        let object: Object =
            serde_json::from_str(r#"{"whole": 7, "part": 7.9, "text": "7", "less": -1, "more": 1e300}"#).unwrap();
        let times = ["whole", "part", "more", "text", "less", "none"].map(|name| object.time(name));
        assert_eq!(times, [Ok(Some(7)), Ok(Some(7)), Ok(Some(u64::MAX)), Err(()), Err(()), Ok(None)]);
    }
}
