//! The keys of an issuer (JWK Set, RFC 7517): only public ones, each with one algorithm.

use std::fmt;

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// Most keys that an issuer may have.
const KEYS: usize = 100;

/// One key, and how it is used.
#[derive(Clone)]
pub(crate) struct Key {
    /// Its name in tokens.
    pub(crate) id: Option<String>,
    /// The only algorithm that it is used with.
    pub(crate) algorithm: Algorithm,
    /// The key itself.
    pub(crate) public: DecodingKey,
    /// As it was written, to see whether it has changed.
    written: Value,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written && self.algorithm == other.algorithm
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Reads a set of keys; those that cannot be used here are left out, but one must remain.
pub(crate) fn keys(text: &[u8], allowed: &[Algorithm]) -> Result<Vec<Key>, &'static str> {
    let set: Set = serde_json::from_slice(text).map_err(|_| "must hold a JSON Web Key Set")?;
    let mut keys: Vec<Key> = Vec::new();
    for written in set.keys.into_iter().take(KEYS) {
        let Some(key) = key(written, allowed) else {
            continue;
        };
        // Of two keys with one name nobody knows which is meant.
        match keys.iter_mut().find(|other| other.id == key.id) {
            Some(other) if other.algorithm != key.algorithm || *other != key => {
                return Err("must not hold two keys of one name");
            }
            Some(_) => {}
            None => keys.push(key),
        }
    }
    if keys.is_empty() { Err("must hold a key that can be used") } else { Ok(keys) }
}

fn key(written: Value, allowed: &[Algorithm]) -> Option<Key> {
    let jwk = Jwk::deserialize(&written).ok()?;
    let verifies = |operations: &Vec<KeyOperations>| operations.contains(&KeyOperations::Verify);
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
        && jwk.common.key_operations.as_ref().is_none_or(verifies);
    let algorithm = algorithm(&jwk, allowed).filter(|_| signs)?;
    let public = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: jwk.common.key_id, algorithm, public, written })
}

/// The one algorithm of a key: the one it names, else the first that fits it.
fn algorithm(jwk: &Jwk, allowed: &[Algorithm]) -> Option<Algorithm> {
    let fits = |algorithm: &Algorithm| match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => algorithm.family() == AlgorithmFamily::Rsa,
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => *algorithm == Algorithm::ES256,
            EllipticCurve::P384 => *algorithm == Algorithm::ES384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(key) => key.curve == EllipticCurve::Ed25519 && *algorithm == Algorithm::EdDSA,
        // A shared secret is nothing that a set of public keys could hold.
        _ => false,
    };
    let named = |algorithm: &Algorithm| {
        let name = jwk.common.key_algorithm.map(|name| name.to_string());
        name.is_none_or(|name| name == format!("{algorithm:?}"))
    };
    allowed.iter().find(|algorithm| fits(algorithm) && named(algorithm)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"ec","use":"sig",
        "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;
    const ALL: [Algorithm; 5] =
        [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];

    fn read(keys_text: &[&str]) -> Result<Vec<(Option<String>, Algorithm)>, &'static str> {
        let text = format!(r#"{{"keys":[{}]}}"#, keys_text.join(","));
        Ok(keys(text.as_bytes(), &ALL)?.into_iter().map(|key| (key.id, key.algorithm)).collect())
    }

    #[test]
    fn the_algorithm_follows_from_the_key_and_the_configuration() {
        let rsa = r#"{"kty":"RSA","kid":"rsa","n":"AQAB","e":"AQAB"}"#;
        let pss = rsa.replace("\"rsa\"", "\"pss\",\"alg\":\"PS256\"");
        let expected = [("ec", Algorithm::ES256), ("rsa", Algorithm::RS256), ("pss", Algorithm::PS256)];
        let expected = expected.map(|(id, algorithm)| (Some(id.to_owned()), algorithm));
        assert_eq!(read(&[EC, rsa, &pss]).unwrap(), expected);
        assert!(keys(format!(r#"{{"keys":[{EC}]}}"#).as_bytes(), &[Algorithm::RS256]).is_err());
    }

    #[test]
    fn what_cannot_be_used_is_left_out() {
        let octets = r#"{"kty":"oct","kid":"oct","k":"c2VjcmV0","alg":"HS256"}"#;
        let encryption = EC.replace("sig", "enc");
        let foreign = EC.replace("\"kid\"", "\"alg\":\"ES384\",\"kid\"");
        let wraps = EC.replace("\"use\":\"sig\"", "\"key_ops\":[\"wrapKey\"]");
        let unknown = r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AQAB"}"#;
        let useless = [octets, &encryption, &foreign, &wraps, unknown, "{}", "7"];
        for key in useless {
            assert_eq!(read(&[key]), Err("must hold a key that can be used"), "{key}");
        }
        assert_eq!(read(&[&useless[..], &[EC]].concat()).unwrap().len(), 1);
    }

    #[test]
    fn two_keys_of_one_name_are_refused_and_one_key_twice_is_not() {
        assert_eq!(read(&[EC, EC]).unwrap().len(), 1);
        let other = EC.replace("MKBC", "MKBD");
        assert!(read(&[EC, &other]).is_err());
        assert!(keys(b"<html>", &ALL).is_err());
    }
}
