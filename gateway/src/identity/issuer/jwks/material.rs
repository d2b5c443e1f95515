//! Checks key material once, instead of with every token.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, EllipticCurveKeyParameters, RSAKeyParameters};

const WRONG_FORM: &str = "has a part of the wrong form";

/// Bytes of the numbers of an RSA key: 2048 to 8192 bits, as signatures are checked here.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;
/// Most bytes of an exponent.
const EXPONENT: usize = 4;

/// Whether the parts make a key.
pub(super) fn check(key: &AlgorithmParameters) -> Result<(), &'static str> {
    match key {
        AlgorithmParameters::RSA(key) => rsa(key),
        AlgorithmParameters::EllipticCurve(key) => curve(key),
        AlgorithmParameters::OctetKeyPair(key) => parse(&ED25519, &decode(&key.x)?),
        _ => Err(WRONG_FORM),
    }
}

fn rsa(key: &RSAKeyParameters) -> Result<(), &'static str> {
    let (modulus, exponent) = (number(&key.n)?, number(&key.e)?);
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    // A first byte below 128 takes bits away.
    let is_short = modulus.len() < *MODULUS.start() || (modulus.len() == *MODULUS.start() && modulus[0] < 0x80);
    match () {
        () if is_short => Err("is an RSA key of less than 2048 bits"),
        () if modulus.len() > *MODULUS.end() => Err("is an RSA key of more than 8192 bits"),
        () if !is_odd(&modulus) || !is_odd(&exponent) || exponent == [1] || exponent.len() > EXPONENT => {
            Err(WRONG_FORM)
        }
        () => Ok(()),
    }
}

fn curve(key: &EllipticCurveKeyParameters) -> Result<(), &'static str> {
    let point = [&[4][..], &decode(&key.x)?, &decode(&key.y)?].concat();
    match key.curve {
        EllipticCurve::P256 => parse(&ECDSA_P256_SHA256_FIXED, &point),
        _ => parse(&ECDSA_P384_SHA384_FIXED, &point),
    }
}

fn parse(algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]) -> Result<(), &'static str> {
    ParsedPublicKey::new(algorithm, bytes).map(drop).map_err(|_| WRONG_FORM)
}

fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| WRONG_FORM)
}

/// A number without zeros in front.
fn number(text: &str) -> Result<Vec<u8>, &'static str> {
    let bytes = decode(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Ok(bytes[zeros..].to_vec())
}
