//! The caller context: who calls, signed by the gateway, believed by one service for a moment.
//!
//! It travels as `x-ispbridge-context: v2.<key id>.<payload>.<tag>`; payload and tag are base64url without padding. The
//! payload is principal, account and expiry (milliseconds since 1970), one per line. The tag is HMAC-SHA256 over everything
//! before its dot, the full method and the request id, one per line, under a key derived for the one service from the
//! gateway's root: a service that is broken into cannot mint a context for another. Method and request id stand elsewhere in
//! the call and are signed without being said again.

mod keys;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::HeaderValue;

use keys::check_id;
pub use keys::{KeyError, Root, ServiceKey};

/// How long a context is valid.
pub const LIFETIME: Duration = Duration::from_secs(30);
/// How far the clocks of gateway and service may differ.
pub const SKEW: Duration = Duration::from_secs(5);

const VERSION: &str = "v2";
/// No context of ours comes near it; what is longer is not decoded.
const LONGEST: usize = 4096;
/// Bytes of a usual payload; a guess that saves copies.
const ROOM: usize = 80;

/// Who calls what, as the gateway says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Which of the valid keys signed.
    pub key_id: String,
    /// The authenticated caller.
    pub principal: String,
    /// Alias of the upstream account; empty if the method needs none.
    pub account: String,
    /// When the context ends.
    pub expires: SystemTime,
}

/// Signs for one service.
#[derive(Debug)]
pub struct Signer {
    id: String,
    key: ServiceKey,
}

/// Believes, for one service, what the gateway signed with one of the valid keys.
#[derive(Debug)]
pub struct Verifier(Vec<(String, ServiceKey)>);

/// Why a context is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// There is none.
    #[error("the call carries no caller context")]
    Missing,
    /// It is not of this form.
    #[error("the caller context cannot be read")]
    Malformed,
    /// Nobody here knows the key.
    #[error("the caller context is signed with a key that is not valid here")]
    UnknownKey,
    /// The tag does not fit: it is for another service, method or request id, or nobody signed it.
    #[error("the caller context is not signed for this call of this service")]
    BadTag,
    /// Its time is over, or lies too far ahead.
    #[error("the caller context is not valid at this time")]
    Expired,
}

impl Signer {
    fn new(id: String, key: ServiceKey) -> Self {
        Self { id, key }
    }

    /// Signs a context that ends in [`LIFETIME`].
    ///
    /// A name with a control character would shift the lines of the payload; there is none behind the gateway's policy, and
    /// such a context is refused as [`Distrust::Malformed`] by whoever gets it.
    #[must_use]
    pub fn sign(&self, principal: &str, account: &str, method: &str, request_id: &str) -> HeaderValue {
        self.sign_until(SystemTime::now() + LIFETIME, [principal, account], [method, request_id])
    }

    fn sign_until(&self, expires: SystemTime, said: [&str; 2], unsaid: [&str; 2]) -> HeaderValue {
        let millis = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut payload = String::with_capacity(ROOM);
        for name in said {
            payload.push_str(name);
            payload.push('\n');
        }
        payload.push_str(&millis.to_string());
        let mut text = String::with_capacity(self.id.len() + payload.len() * 2 + ROOM);
        for part in [VERSION, ".", &self.id, "."] {
            text.push_str(part);
        }
        BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        let tag = signed(&self.key, &text, unsaid).sign();
        text.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(tag, &mut text);
        let mut value = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("v1"));
        value.set_sensitive(true);
        value
    }
}

impl Verifier {
    /// Takes the valid keys: the current one and, while keys are changed, the previous one.
    ///
    /// # Errors
    /// The index of the key and what is wrong with it.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, (usize, KeyError)> {
        let mut known: Vec<(String, ServiceKey)> = Vec::new();
        for (index, (id, text)) in keys.into_iter().enumerate() {
            let because = |error| (index, error);
            check_id(id).map_err(because)?;
            if known.iter().any(|(other, _)| other == id) {
                return Err(because(KeyError::Twice));
            }
            known.push((id.to_owned(), ServiceKey::from_text(text).map_err(because)?));
        }
        Ok(Self(known))
    }

    /// Believes a context, or says why not.
    ///
    /// # Errors
    /// The first reason not to believe it; nothing is read before the tag is right.
    pub fn verify(&self, header: Option<&HeaderValue>, method: &str, request_id: &str) -> Result<Caller, Distrust> {
        self.verify_at(SystemTime::now(), header.ok_or(Distrust::Missing)?.as_bytes(), [method, request_id])
    }

    fn verify_at(&self, now: SystemTime, context: &[u8], unsaid: [&str; 2]) -> Result<Caller, Distrust> {
        let text = std::str::from_utf8(context).ok().filter(|text| text.len() <= LONGEST).ok_or(Distrust::Malformed)?;
        let (said, tag) = text.rsplit_once('.').ok_or(Distrust::Malformed)?;
        let mut parts = said.split('.');
        let (Some(VERSION), Some(id), Some(payload), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Distrust::Malformed);
        };
        let (_, key) = self.0.iter().find(|(known, _)| known == id).ok_or(Distrust::UnknownKey)?;
        let mut bytes = [0; 32];
        match BASE64_URL_SAFE_NO_PAD.decode_slice(tag, &mut bytes) {
            Ok(32) => {
                let tag = signed(key, said, unsaid).sign();
                constant_time::verify_slices_are_equal(tag.as_ref(), &bytes).map_err(|_| Distrust::BadTag)?;
            }
            _ => return Err(Distrust::Malformed),
        }
        let caller = read(id, payload).ok_or(Distrust::Malformed)?;
        if caller.expires + SKEW < now || caller.expires > now + LIFETIME + SKEW {
            return Err(Distrust::Expired);
        }
        Ok(caller)
    }
}

/// What the tag is made of.
fn signed(key: &ServiceKey, said: &str, unsaid: [&str; 2]) -> hmac::Context {
    let mut context = hmac::Context::with_key(&key.key);
    context.update(said.as_bytes());
    for name in unsaid {
        context.update(b"\n");
        context.update(name.as_bytes());
    }
    context
}

fn read(id: &str, payload: &str) -> Option<Caller> {
    let payload = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let lines: [&str; 3] = payload.split('\n').collect::<Vec<_>>().try_into().ok()?;
    if lines.iter().any(|line| line.chars().any(char::is_control)) {
        return None;
    }
    let [principal, account, millis] = lines;
    Some(Caller {
        key_id: id.to_owned(),
        principal: principal.to_owned(),
        account: account.to_owned(),
        expires: UNIX_EPOCH.checked_add(Duration::from_millis(millis.parse().ok()?))?,
    })
}

#[cfg(test)]
mod tests;
