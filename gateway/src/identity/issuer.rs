//! One issuer of tokens (JWT, RFC 7519), and the verification of a token: nothing in the token decides how it is verified.

mod claims;
mod fetch;
mod jwks;
mod key_history;

use std::sync::Arc;

use jsonwebtoken::Validation;
use serde::de::IgnoredAny;

pub(crate) use self::{
    claims::Unverified,
    fetch::fetcher,
    jwks::{KeySet, UnusableKey, VerificationKey, keys},
};
use crate::config::IssuerConfig;
pub(crate) use crate::identity::issuer::key_history::KeyHistory;

/// Longest name of a principal that a token may have.
const NAME: usize = 128;
/// Most groups that a token may name.
const GROUPS: usize = 256;

/// Most keys that are tried for one token.
const TRIED: usize = 8;

/// One issuer.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// What is written of it.
    pub(crate) config: IssuerConfig,
    /// Its keys.
    pub(crate) key_history: Arc<KeyHistory>,
}

/// The content of a verified token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Whose it is, at the issuer.
    pub(crate) subject: String,
    /// What it names of groups.
    pub(crate) groups: Vec<String>,
    /// Seconds since 1970 in which it is good, with leeway.
    pub(crate) good: std::ops::RangeInclusive<u64>,
    /// How often the keys had changed.
    pub(crate) generation: u64,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// It is wrong.
    WrongCredential,
    /// The issuer has no such key.
    KeyUnknown,
    /// The key is not known, and the issuer cannot be reached.
    IssuerAway,
}

impl Issuer {
    /// Checks a token that names this issuer; may wait for its keys if none of those that are known fits.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) async fn verify(&self, token: &Unverified<'_>) -> Result<Verified, TokenError> {
        if !self.config.algorithms.contains(&token.algorithm) {
            return Err(TokenError::WrongCredential);
        }
        let before = self.key_history.generation();
        let found = self.attempt(token);
        // A token that names no key may be signed with a new one as well.
        if found.is_ok() || (found == Err(TokenError::WrongCredential) && token.key_id.is_some()) {
            return found;
        }
        let is_current = self.key_history.refreshed().await;
        let found = if self.key_history.generation() == before { found } else { self.attempt(token) };
        match found {
            Err(TokenError::KeyUnknown) if !is_current => Err(TokenError::IssuerAway),
            found => found,
        }
    }

    /// Tries the candidate keys (RFC 7517, 4.5): those with the token's key id, or all if it has none, of its algorithm.
    fn attempt(&self, token: &Unverified<'_>) -> Result<Verified, TokenError> {
        let (keys, generation) = self.key_history.keys();
        let is_meant = |key: &&VerificationKey| token.key_id.is_none() || token.key_id == key.id;
        let fitting = keys.iter().filter(is_meant).filter(|key| key.algorithm == token.algorithm);
        let mut refused = TokenError::KeyUnknown;
        for key in fitting.take(TRIED) {
            if let Some(verified) = self.check(token, key, generation) {
                return Ok(verified);
            }
            refused = TokenError::WrongCredential;
        }
        Err(refused)
    }

    fn check(&self, token: &Unverified<'_>, key: &VerificationKey, generation: u64) -> Option<Verified> {
        let leeway = self.config.leeway_seconds;
        let mut rules = Validation::new(key.algorithm);
        rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        rules.set_issuer(&[&self.config.issuer]);
        rules.set_audience(&self.config.audiences);
        rules.leeway = leeway;
        rules.validate_nbf = true;
        jsonwebtoken::decode::<IgnoredAny>(token.text, &key.public, &rules).ok()?;
        let claims = &token.claims;
        claims.text("sub").filter(|subject| !subject.is_empty())?;
        let subject = claims.text(&self.config.principal_claim).filter(|name| is_name(name))?.to_owned();
        let from = claims.time("nbf").ok()?.map_or(0, |nbf| nbf.saturating_sub(leeway));
        let until = claims.time("exp").ok()??.saturating_add(leeway);
        let mut groups = Vec::new();
        self.config.groups_claims.iter().for_each(|path| claims.words(path, &mut groups));
        groups.truncate(GROUPS);
        Some(Verified { subject, groups, good: from..=until, generation })
    }
}

/// Whether a text may name a principal in logs, spans and the caller context.
fn is_name(text: &str) -> bool {
    (1..=NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
