//! Who may call by the configuration: built from it, replaced as a whole.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use config::{Error, said_of_file};
use jsonwebtoken::Algorithm;
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::{
    config::{
        Config, GuessesConfig, IssuerConfig, JwksConfig, PrincipalConfig, key_entry::Expiry, key_file::LocatedEntry,
    },
    identity::{
        issuer::{Issuer, KeyHistory, KeySet, Verified, fetcher, keys},
        last_used::{LastUsed, LastUses},
        refusals::RefusalRecorder,
        throttle::Throttle,
        token_cache::TokenCache,
    },
    key::KeyHash,
    limits::{QuotaLimits, Quotas},
    policy::{Grants, bindings::Bindings, grant::Grant},
    principal::Principal,
};

/// Where an issuer's keys come from, and their algorithms.
type KeySetSource = (JwksConfig, Vec<Algorithm>);

/// State that survives a reload.
#[derive(Debug, Default)]
pub(crate) struct ReloadState {
    /// The principals' quotas.
    quotas: Arc<Quotas>,
    /// When keys were used.
    pub(super) last_uses: Arc<LastUses>,
    /// Wrong credentials.
    pub(super) throttle: Throttle,
    /// Counts and logs them.
    pub(super) refused: Option<RefusalRecorder>,
    /// Issuers' keys by source.
    rings: Mutex<Vec<(KeySetSource, Weak<KeyHistory>)>>,
}

/// Where a key is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyOrigin {
    /// `principals.api_keys`.
    Configuration,
    /// The file of keys.
    KeyFile,
}

/// One API key.
#[derive(Debug)]
pub(crate) struct ActiveKey {
    pub(crate) hash: KeyHash,
    pub(crate) principal: Arc<Principal>,
    pub(crate) last_used: Arc<LastUsed>,
    /// The entry of the file of keys; a key of the configuration has none.
    pub(crate) entry: Option<Arc<LocatedEntry>>,
}

impl ActiveKey {
    /// Where the key is written.
    pub(crate) fn from(&self) -> KeyOrigin {
        if self.entry.is_some() { KeyOrigin::KeyFile } else { KeyOrigin::Configuration }
    }

    /// When it expires.
    pub(crate) fn expires(&self) -> Option<Expiry> {
        self.entry.as_ref()?.key.expires
    }

    /// Whether it is valid now.
    pub(crate) fn is_good(&self) -> bool {
        self.entry.as_ref().is_none_or(|entry| entry.key.is_good())
    }

    /// The principal, if this is the presented key; records the use.
    pub(crate) fn opened_by(&self, presented: &KeyHash) -> Option<Arc<Principal>> {
        if !self.hash.is(presented) || !self.is_good() {
            return None;
        }
        self.last_used.set();
        Some(Arc::clone(&self.principal))
    }
}

/// Who may call by the configuration.
#[derive(Debug)]
pub(crate) struct Access {
    pub(super) by_key: FxHashMap<KeyHash, ActiveKey>,
    by_certificate: FxHashMap<Box<str>, Arc<Principal>>,
    /// Principals that have a name of their own for a token's.
    by_token: FxHashMap<Box<str>, Arc<Principal>>,
    issuers: HashMap<Box<str>, Issuer>,
    pub(super) bindings: Bindings,
    /// The limits of a principal that the configuration does not know.
    limits: QuotaLimits,
    /// Those of the principals that have others.
    own_limits: FxHashMap<Box<str>, QuotaLimits>,
    pub(super) groups: HashSet<Box<str>>,
    /// Providers that there is a route to.
    pub(super) providers: HashSet<Box<str>>,
    /// Tokens that were verified under this state.
    pub(super) token_cache: TokenCache,
    /// How many wrong credentials an address may send.
    pub(super) throttle: GuessesConfig,
    /// Whether reflection and health of services are open to everybody.
    pub(super) public: bool,
}

impl ReloadState {
    /// Starts empty.
    pub(super) fn new(quotas: Arc<Quotas>, refused: Option<RefusalRecorder>) -> Self {
        Self { quotas, refused, ..Self::default() }
    }

    pub(super) fn principal(&self, name: &str, grants: Grants, limits: QuotaLimits) -> Arc<Principal> {
        let name = Arc::from(name);
        let quota = self.quotas.of(&name, limits);
        Arc::new(Principal { name, grants, quota })
    }

    /// The keys of an issuer, reused if they come from the same source.
    fn key_history(&self, issuer: &IssuerConfig, index: usize) -> Result<Arc<KeyHistory>, Error> {
        if let Some(set) = keys_of_file(issuer, index)? {
            return Ok(Arc::new(KeyHistory::fixed(set.keys)));
        }
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.retain(|(_, key_history)| key_history.strong_count() > 0);
        let source = (issuer.jwks.clone(), issuer.algorithms.clone());
        let same = rings.iter().find(|(known, _)| *known == source);
        if let Some(key_history) = same.and_then(|(_, key_history)| key_history.upgrade()) {
            return Ok(key_history);
        }
        let ask = fetcher(issuer).map_err(|problem| Error::config(format!("issuers[{index}].jwks.url"), problem))?;
        let key_history = Arc::new(KeyHistory::followed(&issuer.name, &issuer.jwks, ask));
        rings.push((source, Arc::downgrade(&key_history)));
        Ok(key_history)
    }
}

impl Access {
    /// Compiles a configuration.
    pub(crate) fn compile(config: &Config, shared: &ReloadState) -> Result<Self, Error> {
        let mut access = Self {
            by_key: FxHashMap::default(),
            by_certificate: FxHashMap::default(),
            by_token: FxHashMap::default(),
            issuers: HashMap::new(),
            bindings: Bindings::new(&config.groups, &config.grants),
            limits: QuotaLimits::usual(&config.limits),
            own_limits: FxHashMap::default(),
            groups: config.groups.iter().map(|group| group.name.as_str().into()).collect(),
            providers: config.routes.iter().map(|route| route.provider.as_str().into()).collect(),
            token_cache: TokenCache::default(),
            throttle: config.guesses.clone(),
            public: config.public_reflection,
        };
        for (index, issuer) in config.issuers.iter().enumerate() {
            let issuer = Issuer { config: issuer.clone(), key_history: shared.key_history(issuer, index)? };
            access.issuers.insert(issuer.config.issuer.as_str().into(), issuer);
        }
        for entry in &config.principals {
            let limits = QuotaLimits::of(entry, &config.limits);
            if limits != access.limits {
                access.own_limits.insert(entry.name.as_str().into(), limits);
            }
            access.admit(entry, limits, shared);
        }
        Ok(access)
    }

    fn admit(&mut self, entry: &PrincipalConfig, limits: QuotaLimits, shared: &ReloadState) {
        let grants = Grants::of(self.bindings.principal(&entry.name));
        let principal = shared.principal(&entry.name, grants, limits);
        for key in &entry.api_keys {
            self.admit_key(key, &principal, shared);
        }
        let certificates = entry.certificates.iter().map(|name| (name.as_str().into(), Arc::clone(&principal)));
        self.by_certificate.extend(certificates);
        let tokens = entry.tokens.iter().map(|name| (name.as_str().into(), Arc::clone(&principal)));
        self.by_token.extend(tokens);
    }

    fn admit_key(&mut self, key: &KeyHash, principal: &Arc<Principal>, shared: &ReloadState) {
        let (principal, last_used) = (Arc::clone(principal), shared.last_uses.of(key));
        self.by_key.insert(*key, ActiveKey { hash: *key, principal, last_used, entry: None });
    }

    /// The limits of a principal.
    pub(super) fn limits_of(&self, name: &str) -> QuotaLimits {
        self.own_limits.get(name).copied().unwrap_or(self.limits)
    }

    /// Whether tokens are accepted.
    pub(super) fn takes_tokens(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// The principal of a certificate with these names; `None` if they belong to several.
    pub(super) fn by_certificate(&self, names: &[String]) -> Option<Arc<Principal>> {
        let mut found = names.iter().filter_map(|name| self.by_certificate.get(name.as_str()));
        let principal = found.next()?;
        found.all(|other| Arc::ptr_eq(other, principal)).then(|| Arc::clone(principal))
    }

    /// The issuer with this `iss`.
    pub(super) fn issuer(&self, name: &str) -> Option<&Issuer> {
        self.issuers.get(name)
    }

    /// The principal of a verified token: that of the configuration if it knows the token's name, else `issuer:subject`;
    /// either with the grants of the groups that the token claims.
    pub(super) fn token(&self, issuer: &str, verified: &Verified, shared: &ReloadState) -> Arc<Principal> {
        let full = format!("{issuer}:{}", verified.subject);
        let known = self.by_token.get(full.as_str());
        let claimed: Vec<&Arc<Grant>> = self.bindings.claims(issuer, &verified.groups).collect();
        match known {
            Some(principal) if claimed.is_empty() => Arc::clone(principal),
            Some(principal) => {
                let grants = self.bindings.principal(&principal.name).iter().chain(claimed);
                let (name, quota) = (Arc::clone(&principal.name), Arc::clone(&principal.quota));
                Arc::new(Principal { name, grants: Grants::of(grants), quota })
            }
            None => shared.principal(&full, Grants::of(claimed), self.limits),
        }
    }
}

/// The keys of an issuer that has them in a file.
pub(super) fn keys_of_file(issuer: &IssuerConfig, index: usize) -> Result<Option<KeySet>, Error> {
    let (Some(file), None) = (&issuer.jwks.file, &issuer.jwks.url) else {
        return Ok(None);
    };
    let wrong = |problem: String| Error::config(format!("issuers[{index}].jwks.file"), problem);
    let text = config::read(file)
        .map_err(|error| wrong(format!("must be a file that can be read: {}", said_of_file(&error))))?;
    keys(&text, &issuer.algorithms).map(Some).map_err(wrong)
}
