//! The keys of an issuer (JWK Set, RFC 7517): only public ones, each with one algorithm.

mod material;

use std::fmt;

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// Most keys that an issuer may have.
const KEYS: usize = 100;
/// Most characters of a key's name that are shown.
const SHOWN: usize = 64;

/// One key, and how it is used.
#[derive(Clone)]
pub(crate) struct VerificationKey {
    /// Its name in tokens.
    pub(crate) id: Option<String>,
    /// The only algorithm that it is used with.
    pub(crate) algorithm: Algorithm,
    /// The key itself.
    pub(crate) public: DecodingKey,
    /// As it was written, to see whether it has changed.
    written: Value,
}

/// An issuer's keys.
#[derive(Debug)]
pub(crate) struct KeySet {
    /// The usable keys in order; key ids may repeat.
    pub(crate) keys: Vec<VerificationKey>,
    /// The others.
    pub(crate) unusable: Vec<UnusableKey>,
}

/// A key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {number}{} {why}", named(.id.as_deref()))]
pub(crate) struct UnusableKey {
    /// Its position in the set, from 1.
    number: usize,
    id: Option<String>,
    why: &'static str,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written && self.algorithm == other.algorithm
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The beginning of a key's name, as text for people.
fn named(id: Option<&str>) -> String {
    id.map(|id| format!(" ({:?})", id.chars().take(SHOWN).collect::<String>())).unwrap_or_default()
}

/// Reads a set of keys; those that cannot be used here are left out, but one must remain.
pub(crate) fn keys(text: &[u8], allowed: &[Algorithm]) -> Result<KeySet, String> {
    let set: Set = serde_json::from_slice(text).map_err(|_| "it is no JSON Web Key Set".to_owned())?;
    let (mut keys, mut unusable): (Vec<VerificationKey>, Vec<UnusableKey>) = Default::default();
    for (index, written) in set.keys.into_iter().enumerate() {
        let id = written.get("kid").and_then(Value::as_str).map(str::to_owned);
        match if index < KEYS { key(written, allowed) } else { Err("is one too many") } {
            Ok(key) if keys.contains(&key) => {}
            Ok(key) => keys.push(key),
            Err(why) => unusable.push(UnusableKey { number: index + 1, id, why }),
        }
    }
    match unusable.first() {
        _ if !keys.is_empty() => Ok(KeySet { keys, unusable }),
        Some(first) => Err(format!("it has no key that can be used: {first}")),
        None => Err("it has no key".to_owned()),
    }
}

/// Reads one key, or why it cannot be used.
fn key(written: Value, allowed: &[Algorithm]) -> Result<VerificationKey, &'static str> {
    let text = |name: &str| written.get(name).and_then(Value::as_str);
    match text("kty") {
        Some("RSA") => {}
        Some("EC") if matches!(text("crv"), Some("P-256" | "P-384")) => {}
        Some("OKP") if text("crv") == Some("Ed25519") => {}
        Some("EC" | "OKP") => return Err("has a curve (crv) that is not known here"),
        Some("oct") => return Err("is a shared secret, which no set of public keys should hold"),
        _ => return Err("is of a kind (kty) that is not known here"),
    }
    let jwk = Jwk::deserialize(&written).ok().filter(|jwk| !matches!(jwk.algorithm, AlgorithmParameters::Other(_)));
    let jwk = jwk.ok_or("lacks a part, or has one of the wrong form")?;
    let verifies = |operations: &Vec<KeyOperations>| operations.contains(&KeyOperations::Verify);
    let is_for_signatures = jwk.common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
        && jwk.common.key_operations.as_ref().is_none_or(verifies);
    if !is_for_signatures {
        return Err("is not for signatures (use, key_ops)");
    }
    let algorithm = algorithm(&jwk, allowed).ok_or("has no algorithm of those that the issuer may use (algorithms)")?;
    material::check(&jwk.algorithm)?;
    let public = DecodingKey::from_jwk(&jwk).map_err(|_| "has a part of the wrong form")?;
    Ok(VerificationKey { id: jwk.common.key_id, algorithm, public, written })
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
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"ec","use":"sig",
        "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;
    const ALL: [Algorithm; 5] =
        [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];

    const SHORT: &str = r#"{"kty":"RSA","kid":"short","n":"AQAB","e":"AQAB"}"#;

    /// An RSA key of so many bits, as far as anybody can tell without its factors.
    fn rsa(bits: usize, more: &str) -> String {
        let modulus = vec![0xc5_u8; bits / 8];
        format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"{more}}}"#, URL_SAFE_NO_PAD.encode(modulus))
    }

    fn read(keys_text: &[&str]) -> Result<Vec<(Option<String>, Algorithm)>, String> {
        let text = format!(r#"{{"keys":[{}]}}"#, keys_text.join(","));
        Ok(keys(text.as_bytes(), &ALL)?.keys.into_iter().map(|key| (key.id, key.algorithm)).collect())
    }

    #[test]
    fn the_algorithm_follows_from_the_key_and_the_configuration() {
        let (plain, pss) = (rsa(2048, r#","kid":"rsa""#), rsa(2048, r#","kid":"pss","alg":"PS256""#));
        let expected = [("ec", Algorithm::ES256), ("rsa", Algorithm::RS256), ("pss", Algorithm::PS256)];
        let expected = expected.map(|(id, algorithm)| (Some(id.to_owned()), algorithm));
        assert_eq!(read(&[EC, &plain, &pss]).unwrap(), expected);
        assert!(keys(format!(r#"{{"keys":[{EC}]}}"#).as_bytes(), &[Algorithm::RS256]).is_err());
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_named() {
        let octets = r#"{"kty":"oct","kid":"oct","k":"c2VjcmV0","alg":"HS256"}"#;
        let unknown = r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AQAB"}"#;
        let changed = |from: &str, to: &str| EC.replace(from, to);
        let useless = [
            (octets.to_owned(), "key 1 (\"oct\") is a shared secret"),
            (changed("\"sig\"", "\"enc\""), "key 1 (\"ec\") is not for signatures"),
            (changed("\"use\":\"sig\"", "\"key_ops\":[\"wrapKey\"]"), "is not for signatures"),
            (changed("\"kid\"", "\"alg\":\"ES384\",\"kid\""), "has no algorithm"),
            (changed("\"kid\"", "\"alg\":\"RSA-OAEP\",\"kid\""), "has no algorithm"),
            (changed("P-256", "P-521"), "has a curve"),
            (changed("P-256", "secp256k1"), "has a curve"),
            (changed("P-256", "P-384"), "key 1 (\"ec\") has a part of the wrong form"),
            (changed("MKBC", "MKBD"), "has a part of the wrong form"),
            (changed("\"y\"", "\"z\""), "lacks a part"),
            (changed("\"ec\"", "7"), "key 1 lacks a part, or"),
            (r#"{"kty":"OKP","crv":"X25519","x":"AQAB"}"#.to_owned(), "has a curve"),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"AQAB"}"#.to_owned(), "has a part of the wrong form"),
            (SHORT.to_owned(), "key 1 (\"short\") is an RSA key of less than 2048 bits"),
            (rsa(1024, ""), "is an RSA key of less than 2048 bits"),
            (rsa(16384, ""), "is an RSA key of more than 8192 bits"),
            (rsa(2048, "").replace("\"AQAB\"", "\"AQ\""), "has a part of the wrong form"),
            (rsa(2048, "").replace("\"e\"", "\"f\""), "lacks a part"),
            (rsa(2048, "").replace("\"AQAB\"", "\"A*AB\""), "has a part of the wrong form"),
            (unknown.to_owned(), "key 1 is of a kind"),
            ("{}".to_owned(), "is of a kind"),
            ("7".to_owned(), "is of a kind"),
        ];
        for (key, why) in &useless {
            let error = read(&[key]).unwrap_err();
            assert!(error.starts_with("it has no key that can be used: key 1") && error.contains(why), "{key} {error}");
        }
        let texts: Vec<_> = useless.iter().map(|(key, _)| key.as_str()).chain([EC]).collect();
        let set = keys(format!(r#"{{"keys":[{}]}}"#, texts.join(",")).as_bytes(), &ALL).unwrap();
        assert_eq!((set.keys.len(), set.unusable.len()), (1, useless.len()));
        assert!(set.unusable[1].to_string().starts_with("key 2 (\"ec\")"));
    }

    #[test]
    fn a_name_may_come_more_than_once_and_a_key_counts_once() {
        let other = EC
            .replace("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")
            .replace("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        assert_eq!(read(&[EC, EC]).unwrap().len(), 1);
        assert_eq!(read(&[EC, &other, &rsa(2048, r#","kid":"ec""#)]).unwrap().len(), 3);
        assert_eq!(read(&[&rsa(2048, ""), &rsa(3072, "")]).unwrap().len(), 2);
        for none in ["<html>", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#, "[]", ""] {
            assert!(keys(none.as_bytes(), &ALL).is_err(), "{none}");
        }
    }

    #[test]
    fn only_so_many_keys_count() {
        let many: Vec<_> = (0..=KEYS).map(|number| EC.replace("\"ec\"", &format!("\"{number}\""))).collect();
        let set = keys(format!(r#"{{"keys":[{}]}}"#, many.join(",")).as_bytes(), &ALL).unwrap();
        assert_eq!((set.keys.len(), set.unusable[0].to_string().as_str()), (KEYS, "key 101 (\"100\") is one too many"));
    }
}
