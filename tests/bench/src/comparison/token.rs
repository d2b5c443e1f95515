//! The token that the callers show, and the key set by which it is checked.

use std::time::{Duration, SystemTime};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::Failure;

pub(super) const ISSUER: &str = "https://issuer.example.com";
pub(super) const AUDIENCE: &str = "ispbridge";
pub(super) const SUBJECT: &str = "bench";

const KEY_ID: &str = "bench";
/// How long the token is good: longer than the run.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A fresh key and one token signed with it.
pub(super) struct Token {
    /// The token as it stands after `Bearer`.
    pub(super) text: String,
    /// The public key as a JWK set (RFC 7517).
    pub(super) keys: Value,
}

impl Token {
    /// Makes both: RS256, as most issuers sign.
    pub(super) fn fresh() -> Result<Self, Failure> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| "no RSA key could be made")?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let head = json!({ "alg": "RS256", "typ": "JWT", "kid": KEY_ID });
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT,
            "iat": now.as_secs(), "exp": (now + LIFETIME).as_secs(),
        });
        let signed = format!("{}.{}", encoded(head.to_string()), encoded(claims.to_string()));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| "the token could not be signed")?;
        Ok(Self { text: format!("{signed}.{}", encoded(signature)), keys: keys(&pair) })
    }
}

fn keys(pair: &KeyPair) -> Value {
    let public = pair.public_key();
    let (n, e) = (public.modulus(), public.exponent());
    json!({ "keys": [{
        "kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID,
        "n": encoded(n.big_endian_without_leading_zero()),
        "e": encoded(e.big_endian_without_leading_zero()),
    }] })
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
