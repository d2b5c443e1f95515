//! Who is calling. One [`Principal`] comes out, whatever the caller shows: an API key (`x-api-key`), a token
//! (`authorization: Bearer`), or, if there is neither, the certificate of its connection.
//!
//! What is not exactly one credential is none: a key and a token in one call, two keys, two tokens. A certificate beside a
//! key or token is only that of the transport, a proxy's for one. All refusals look alike.

mod access;
mod guesses;
pub(crate) mod issuer;
pub(crate) mod key;
pub(crate) mod key_file;
pub(crate) mod key_list;
pub(crate) mod marks;
mod remembered;

use std::{
    collections::HashSet,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use chassis::{CallNotes, Error, Peer};
use http::{HeaderMap, HeaderName, header};
use jiff::Timestamp;
use tonic::Code;

use self::{
    access::{Access, Shared},
    issuer::Unverified,
    key::{KeyHash, sha256},
    key_file::KeyFile,
    key_list::KeyList,
    remembered::Known,
};
use crate::{
    answer::{Answer, Outcome},
    config::{Config, policy},
    limits::Quotas,
    principal::Principal,
};

/// The header that carries the caller's API key.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Everybody who may call, and how they are known.
#[derive(Debug)]
pub(crate) struct Identity {
    access: ArcSwap<Access>,
    shared: Shared,
}

/// What a caller shows.
#[derive(Debug, PartialEq, Eq)]
enum Shown<'a> {
    Key(&'a str),
    Token(&'a str),
    Certificate(&'a [String]),
    Nothing,
}

impl Shown<'_> {
    /// The name of the credential in logs.
    fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Key(_) => Some("api_key"),
            Self::Token(_) => Some("token"),
            Self::Certificate(_) => Some("certificate"),
            Self::Nothing => None,
        }
    }
}

impl Identity {
    /// Begins with a configuration that was checked; asks issuers for their keys from now on.
    pub(crate) fn new(config: &Config, quotas: &Arc<Quotas>) -> Result<Self, Error> {
        let shared = Shared::new(Arc::clone(quotas));
        let access = Access::compile(config, &shared)?;
        Ok(Self { access: ArcSwap::from_pointee(access), shared })
    }

    /// Makes the state of another configuration.
    pub(crate) fn prepare(&self, config: &Config) -> Result<Access, Error> {
        Access::compile(config, &self.shared)
    }

    /// Replaces everybody who may call by others.
    pub(crate) fn take(&self, access: Access) {
        self.access.store(Arc::new(access));
    }

    /// When keys were used.
    pub(crate) fn marks(&self) -> &Arc<marks::Marks> {
        &self.shared.marks
    }

    /// The API keys, for people.
    pub(crate) fn keys(&self) -> KeyList {
        self.shared.marks.look(Timestamp::now());
        KeyList::of(&self.access.load())
    }

    /// Whether reflection and health of services are open to everybody.
    pub(crate) fn is_public(&self) -> bool {
        self.access.load().public
    }

    /// Finds out who is calling; `notes` learn it, and by which credential.
    pub(crate) async fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        notes: &CallNotes,
    ) -> Result<Arc<Principal>, Box<Answer>> {
        let principal = self.find(headers, peer, notes).await?;
        notes.set_principal(&principal.name);
        Ok(principal)
    }

    async fn find(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        notes: &CallNotes,
    ) -> Result<Arc<Principal>, Box<Answer>> {
        let (token, hash) = {
            let access = self.access.load();
            let shown = shown(headers, peer, access.takes_tokens());
            shown.kind().into_iter().for_each(|kind| notes.set_authentication(kind));
            match shown {
                Shown::Key(key) => return self.by_key(&access, key, peer),
                Shown::Certificate(names) => return access.by_certificate(names).ok_or_else(refusal),
                Shown::Nothing => return Err(refusal()),
                Shown::Token(token) => {
                    let hash = sha256(token.as_bytes());
                    if let Some(principal) = access.remembered.find(&hash, now()) {
                        return Ok(principal);
                    }
                    (token, hash)
                }
            }
        };
        // Boxed, because most calls never come here and would carry its state along.
        Box::pin(self.by_token(token, hash)).await.ok_or_else(refusal)
    }

    fn by_key(&self, access: &Access, key: &str, peer: Option<&Peer>) -> Result<Arc<Principal>, Box<Answer>> {
        let address = peer.map(|peer| peer.address().ip());
        if let Some(address) = address {
            self.shared.guesses.check(address, access.guesses)?;
        }
        let found = KeyHash::of_presented(key).and_then(|hash| access.by_key(&hash));
        found.ok_or_else(|| {
            address.into_iter().for_each(|address| self.shared.guesses.count(address));
            refusal()
        })
    }

    async fn by_token(&self, token: &str, hash: [u8; 32]) -> Option<Arc<Principal>> {
        let access = self.access.load_full();
        let token = Unverified::parse(token)?;
        let issuer = access.issuer(token.claims.text("iss")?)?;
        let verified = issuer.verify(&token).await?;
        let principal = access.token(&issuer.config.name, &verified, &self.shared);
        let known = Known {
            principal: Arc::clone(&principal),
            good: verified.good,
            ring: Arc::clone(&issuer.ring),
            generation: verified.generation,
        };
        access.remembered.add(hash, known, now());
        Some(principal)
    }
}

/// What a call shows of credentials; `tokens` says whether a token is one here.
fn shown<'a>(headers: &'a HeaderMap, peer: Option<&'a Peer>, tokens: bool) -> Shown<'a> {
    let has_token = tokens && headers.contains_key(header::AUTHORIZATION);
    match (headers.contains_key(API_KEY), has_token) {
        (true, true) => Shown::Nothing,
        (true, false) => only(headers, &API_KEY).map_or(Shown::Nothing, Shown::Key),
        (false, true) => only(headers, &header::AUTHORIZATION).and_then(bearer).map_or(Shown::Nothing, Shown::Token),
        (false, false) => {
            let identity = peer.and_then(Peer::identity);
            identity.map_or(Shown::Nothing, |identity| Shown::Certificate(identity.names()))
        }
    }
}

/// The one value of a header; of two it is not clear which is meant.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The token of `Bearer token` (RFC 6750, 2.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

fn refusal() -> Box<Answer> {
    let text = "exactly one valid credential is required: an API key in x-api-key, a bearer token in authorization, \
                or the certificate of the connection";
    Answer::new(Code::Unauthenticated, "CREDENTIALS_INVALID", text).outcome(Outcome::NotSent)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Checks what the configuration names: the file of keys and the files of issuers.
pub(crate) fn check(config: &Config) -> Result<(), Error> {
    let keys = access::key_file(config)?;
    check_keys(config, &keys)?;
    for (index, issuer) in config.issuers.iter().enumerate() {
        access::keys_of_file(issuer, index)?;
    }
    Ok(())
}

fn check_keys(config: &Config, file: &KeyFile) -> Result<(), Error> {
    let groups: HashSet<_> = config.groups.iter().map(|group| group.name.as_str()).collect();
    let configured: HashSet<_> = config.principals.iter().flat_map(|principal| &principal.api_keys).collect();
    for (index, key) in file.keys.iter().enumerate() {
        let place = |field: &str| format!("keys.file: keys[{index}].{field}");
        if configured.contains(&key.hash) {
            return Err(Error::config(place("hash"), "is that of a principal's key"));
        }
        policy::check_known(place("groups"), "group", &key.groups, &groups)?;
        for grant in &key.grants {
            policy::check_accounts(config, place("grants"), &grant.accounts)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
