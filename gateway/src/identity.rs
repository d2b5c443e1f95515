//! Authentication. Every credential maps to one [`Principal`]: an API key (`x-api-key`), a token
//! (`authorization: Bearer`), or, if there is neither, the certificate of its connection.
//!
//! What is not exactly one credential is none: a key and a token in one call, two keys, two tokens. A certificate beside a
//! key or token is only that of the transport, a proxy's for one. All refusals look alike, until an address has sent too
//! many wrong ones (`throttle`).

pub(crate) mod access;
pub(crate) mod file_keys;
pub(crate) mod issuer;
pub(crate) mod key_source;
pub(crate) mod last_used;
pub(crate) mod refusals;
mod throttle;
mod token_cache;

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use config::{Error, Findings};
use http::{HeaderMap, HeaderName, header};
use protocol::headers::API_KEY;
use serving::{CallNotes, Peer};
use tonic::Code;

use self::{
    access::Access,
    file_keys::FileKeys,
    issuer::{TokenError, Unverified},
    key_source::{KeyChanges, KeySource},
};
use crate::{
    answer::{self, Answer, Outcome},
    config::{Config, key_entry::BadEntry, key_file::KeyFile},
    identity::{
        access::{ActiveKey, ReloadState},
        refusals::{RefusalRecorder, WrongCredential},
        token_cache::CachedToken,
    },
    key::{KeyHash, sha256},
    limits::Quotas,
    principal::Principal,
};

/// Authenticates callers.
#[derive(Debug)]
pub(crate) struct Identity {
    callers: ArcSwap<KnownCallers>,
    source: Mutex<KeySource>,
    shared: ReloadState,
}

/// A snapshot of everybody who may call, replaced as a whole.
#[derive(Debug)]
pub(crate) struct KnownCallers {
    access: Arc<Access>,
    keys: FileKeys,
}

/// A snapshot ready to be installed.
#[derive(Debug)]
pub(crate) struct PreparedIdentity {
    access: Access,
    /// The key file and its content, if it is another file than before.
    source: Option<KeySource>,
}

/// The credential of a call.
#[derive(Debug, PartialEq, Eq)]
enum Presented<'a> {
    Key(&'a str),
    Token(&'a str),
    Certificate(&'a [String]),
    Nothing,
}

impl Presented<'_> {
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
    /// Starts with a checked configuration, without the keys of the file; fetches issuers' keys from now on.
    pub(crate) fn new(config: &Config, quotas: &Arc<Quotas>, refused: Option<RefusalRecorder>) -> Result<Self, Error> {
        let shared = ReloadState::new(Arc::clone(quotas), refused);
        let callers = KnownCallers { access: Access::compile(config, &shared)?.into(), keys: FileKeys::default() };
        let source = KeySource { file: named_file(config), ..KeySource::default() };
        shared.last_uses.persist_beside(source.file.as_deref());
        Ok(Self { callers: ArcSwap::from_pointee(callers), source: Mutex::new(source), shared })
    }

    /// Prepares the snapshot of a new configuration. The key file is read only if it is another one: errors in it must not block
    /// a configuration.
    pub(crate) fn prepare(&self, config: &Config) -> Result<PreparedIdentity, Error> {
        let (file, cached) = (named_file(config), self.key_file());
        let source = match file {
            file if file == cached => None,
            None => Some(KeySource::default()),
            Some(file) => Some(KeySource { said: Arc::new(KeyFile::read(&file)?), file: Some(file), was_there: true }),
        };
        Ok(PreparedIdentity { access: Access::compile(config, &self.shared)?, source })
    }

    /// Installs a snapshot; returns which API keys have changed.
    pub(crate) fn take(&self, prepared: PreparedIdentity) -> KeyChanges {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = prepared.source {
            *source = other;
            self.shared.last_uses.persist_beside(source.file.as_deref());
        }
        self.admit(Arc::new(prepared.access), &source.said)
    }

    fn admit(&self, access: Arc<Access>, file: &KeyFile) -> KeyChanges {
        let keys = FileKeys::admitted(file, &access, &self.shared);
        let callers = Arc::new(KnownCallers { access, keys });
        let before = self.callers.swap(Arc::clone(&callers));
        KeyChanges::between(&before, &callers)
    }

    /// The file of keys.
    fn key_file(&self) -> Option<PathBuf> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner).file.clone()
    }

    /// Entries of the key file that do not count.
    fn key_problems(&self) -> Vec<BadEntry> {
        self.callers.load().keys.problems()
    }

    /// Last uses of the keys.
    pub(crate) fn last_uses(&self) -> &Arc<last_used::LastUses> {
        &self.shared.last_uses
    }

    /// The current snapshot.
    pub(crate) fn callers(&self) -> Arc<KnownCallers> {
        self.callers.load_full()
    }

    /// Whether reflection and health of services are open to everybody.
    pub(crate) fn is_public(&self) -> bool {
        self.callers.load().access.public
    }

    /// Authenticates a call; `notes` record the principal and the kind of credential.
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
        let address = peer.map(|peer| peer.address().ip());
        let (token, hash) = {
            let callers = self.callers.load();
            let access = &callers.access;
            let presented = presented(headers, peer, access.takes_tokens());
            presented.kind().into_iter().for_each(|kind| notes.set_authentication(kind));
            match presented {
                Presented::Key(key) => {
                    let found = KeyHash::of_presented(key).and_then(|hash| callers.key(&hash)?.opened_by(&hash));
                    return found.ok_or_else(|| self.wrong(WrongCredential::Key, address, access));
                }
                Presented::Certificate(names) => return access.by_certificate(names).ok_or_else(refusal),
                Presented::Nothing => return Err(refusal()),
                Presented::Token(token) => {
                    let hash = sha256(token.as_bytes());
                    if let Some(principal) = access.token_cache.find(&hash, now()) {
                        return Ok(principal);
                    }
                    (token, hash)
                }
            }
        };
        // Boxed: most calls never get here and would carry its state along.
        Box::pin(self.by_token(token, hash, address)).await
    }

    async fn by_token(
        &self,
        text: &str,
        hash: [u8; 32],
        address: Option<IpAddr>,
    ) -> Result<Arc<Principal>, Box<Answer>> {
        let access = Arc::clone(&self.callers.load().access);
        let wrong = || self.wrong(WrongCredential::Token, address, &access);
        let token = Unverified::parse(text).ok_or_else(wrong)?;
        let issuer = token.claims.text("iss").and_then(|issuer| access.issuer(issuer)).ok_or_else(wrong)?;
        if let Some(address) = address {
            let may = self.shared.throttle.may_check(address, &access.throttle);
            may.inspect_err(|_| self.note(WrongCredential::TooMany, Some(address)))?;
        }
        let verified = issuer.verify(&token).await.map_err(|refused| match refused {
            // Not counted as a wrong credential: the caller cannot know.
            TokenError::IssuerAway => answer::issuer_away(issuer.config.jwks.pause_seconds.0),
            TokenError::WrongCredential | TokenError::KeyUnknown => wrong(),
        })?;
        let principal = access.token(&issuer.config.name, &verified, &self.shared);
        let cached = CachedToken {
            principal: Arc::clone(&principal),
            good: verified.good,
            key_history: Arc::clone(&issuer.key_history),
            generation: verified.generation,
        };
        access.token_cache.add(hash, cached, now());
        Ok(principal)
    }

    /// Counts a wrong credential and returns its error.
    fn wrong(&self, wrong: WrongCredential, address: Option<IpAddr>, access: &Access) -> Box<Answer> {
        let too_many = address.and_then(|address| self.shared.throttle.count(address, &access.throttle));
        self.note(if too_many.is_some() { WrongCredential::TooMany } else { wrong }, address);
        too_many.unwrap_or_else(refusal)
    }

    fn note(&self, wrong: WrongCredential, address: Option<IpAddr>) {
        self.shared.refused.iter().for_each(|refused| refused.note(wrong, address));
    }
}

impl KnownCallers {
    /// An API key, of the configuration or of the key file.
    fn key(&self, hash: &KeyHash) -> Option<&ActiveKey> {
        self.access.by_key.get(hash).or_else(|| self.keys.by_key.get(hash))
    }

    /// How many keys are in which state.
    fn count(&self) -> [(&'static str, usize); 3] {
        let good = self.keys().filter(|key| key.is_good()).count();
        [("good", good), ("expired", self.keys().count() - good), ("bad", self.keys.bad.len())]
    }

    /// All API keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &ActiveKey> {
        self.access.by_key.values().chain(self.keys.by_key.values())
    }
}

/// The credential of a call; `tokens` says whether tokens are accepted.
fn presented<'a>(headers: &'a HeaderMap, peer: Option<&'a Peer>, tokens: bool) -> Presented<'a> {
    let has_token = tokens && headers.contains_key(header::AUTHORIZATION);
    match (headers.contains_key(API_KEY), has_token) {
        (true, true) => Presented::Nothing,
        (true, false) => only(headers, &API_KEY).map_or(Presented::Nothing, Presented::Key),
        (false, true) => {
            only(headers, &header::AUTHORIZATION).and_then(bearer).map_or(Presented::Nothing, Presented::Token)
        }
        (false, false) => {
            let identity = peer.and_then(Peer::identity);
            identity.map_or(Presented::Nothing, |identity| Presented::Certificate(identity.names()))
        }
    }
}

/// The only value of a header; two are ambiguous.
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

fn named_file(config: &Config) -> Option<PathBuf> {
    config.keys.as_ref().map(|keys| keys.file.clone())
}

/// Checks the key sets that issuers have in files.
pub(crate) fn check_key_sets(config: &Config, findings: &mut Findings) {
    for (index, issuer) in config.issuers.iter().enumerate() {
        let set = findings.take(access::keys_of_file(issuer, index)).flatten();
        for key in set.into_iter().flat_map(|set| set.unusable) {
            findings.warning(format!("issuers[{index}].jwks.file"), format!("{key}: it is left out"));
        }
    }
}

/// Checks the key file as at startup: it may be missing, and an invalid entry is skipped.
pub(crate) fn check_key_file(config: &Config, findings: &mut Findings) {
    let Some(file) = named_file(config) else { return };
    for bad in findings.take(KeyFile::read_if_there(&file)).unwrap_or_default().bad {
        findings.warning("keys.file", format!("{bad}: the entry does not count"));
    }
}

#[cfg(test)]
mod tests;
