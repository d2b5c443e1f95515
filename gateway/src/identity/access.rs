//! One state of who may call: made from a configuration, replaced as a whole.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use chassis::Error;
use config::said_of_file;
use jsonwebtoken::Algorithm;
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::{
    config::{Config, GuessesConfig, IssuerConfig, JwksConfig, PrincipalConfig, key_entry::Expiry, key_file::Entry},
    identity::{
        guesses::Guesses,
        issuer::{Issuer, KeyRing, KeySet, Verified, fetcher, keys},
        marks::{Mark, Marks},
        refused::Refused,
        remembered::Remembered,
    },
    key::KeyHash,
    limits::{QuotaLimits, Quotas},
    policy::{Grants, grant::Grant, roster::Roster},
    principal::Principal,
};

/// Where keys of an issuer come from, and what they may be.
type Source = (JwksConfig, Vec<Algorithm>);

/// What outlives a reload.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// What principals take.
    quotas: Arc<Quotas>,
    /// When keys were used.
    pub(super) marks: Arc<Marks>,
    /// Wrong credentials.
    pub(super) guesses: Guesses,
    /// Where they are written down.
    pub(super) refused: Option<Refused>,
    /// Keys of issuers by where they come from.
    rings: Mutex<Vec<(Source, Weak<KeyRing>)>>,
}

/// Where a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// `principals.api_keys`.
    Configuration,
    /// The file of keys.
    KeyFile,
}

/// One API key.
#[derive(Debug)]
pub(crate) struct KeyHolder {
    pub(crate) hash: KeyHash,
    pub(crate) principal: Arc<Principal>,
    pub(crate) mark: Arc<Mark>,
    /// The entry of the file of keys; a key of the configuration has none.
    pub(crate) entry: Option<Arc<Entry>>,
}

impl KeyHolder {
    /// Where the key is written.
    pub(crate) fn from(&self) -> Origin {
        if self.entry.is_some() { Origin::KeyFile } else { Origin::Configuration }
    }

    /// When it ends.
    pub(crate) fn expires(&self) -> Option<Expiry> {
        self.entry.as_ref()?.key.expires
    }

    /// Whether it counts.
    pub(crate) fn is_good(&self) -> bool {
        self.entry.as_ref().is_none_or(|entry| entry.key.is_good())
    }

    /// Who has the key that was presented; this is a use of it.
    pub(crate) fn opened_by(&self, presented: &KeyHash) -> Option<Arc<Principal>> {
        if !self.hash.is(presented) || !self.is_good() {
            return None;
        }
        self.mark.set();
        Some(Arc::clone(&self.principal))
    }
}

/// Who may call by the configuration.
#[derive(Debug)]
pub(crate) struct Access {
    pub(super) by_key: FxHashMap<KeyHash, KeyHolder>,
    by_certificate: FxHashMap<Box<str>, Arc<Principal>>,
    /// Principals that have a name of their own for a token's.
    by_token: FxHashMap<Box<str>, Arc<Principal>>,
    issuers: HashMap<Box<str>, Issuer>,
    pub(super) roster: Roster,
    /// The limits of a principal that the configuration does not know.
    limits: QuotaLimits,
    /// Those of the principals that have others.
    own_limits: FxHashMap<Box<str>, QuotaLimits>,
    pub(super) groups: HashSet<Box<str>>,
    /// Providers that there is a route to.
    pub(super) providers: HashSet<Box<str>>,
    /// Tokens that were verified under this state.
    pub(super) remembered: Remembered,
    /// How many wrong credentials an address may send.
    pub(super) guesses: GuessesConfig,
    /// Whether reflection and health of services are open to everybody.
    pub(super) public: bool,
}

impl Shared {
    /// Begins with nothing known.
    pub(super) fn new(quotas: Arc<Quotas>, refused: Option<Refused>) -> Self {
        Self { quotas, refused, ..Self::default() }
    }

    pub(super) fn principal(&self, name: &str, grants: Grants, limits: QuotaLimits) -> Arc<Principal> {
        let name = Arc::from(name);
        let quota = self.quotas.of(&name, limits);
        Arc::new(Principal { name, grants, quota })
    }

    /// The keys of an issuer: those that are there already if they come from the same place.
    fn ring(&self, issuer: &IssuerConfig, index: usize) -> Result<Arc<KeyRing>, Error> {
        if let Some(set) = keys_of_file(issuer, index)? {
            return Ok(Arc::new(KeyRing::fixed(set.keys)));
        }
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.retain(|(_, ring)| ring.strong_count() > 0);
        let source = (issuer.jwks.clone(), issuer.algorithms.clone());
        let same = rings.iter().find(|(known, _)| *known == source);
        if let Some(ring) = same.and_then(|(_, ring)| ring.upgrade()) {
            return Ok(ring);
        }
        let ask = fetcher(issuer).map_err(|problem| Error::config(format!("issuers[{index}].jwks.url"), problem))?;
        let ring = Arc::new(KeyRing::followed(&issuer.name, &issuer.jwks, ask));
        rings.push((source, Arc::downgrade(&ring)));
        Ok(ring)
    }
}

impl Access {
    /// Makes the state of a configuration.
    pub(crate) fn compile(config: &Config, shared: &Shared) -> Result<Self, Error> {
        let mut access = Self {
            by_key: FxHashMap::default(),
            by_certificate: FxHashMap::default(),
            by_token: FxHashMap::default(),
            issuers: HashMap::new(),
            roster: Roster::new(&config.groups, &config.grants),
            limits: QuotaLimits::usual(&config.limits),
            own_limits: FxHashMap::default(),
            groups: config.groups.iter().map(|group| group.name.as_str().into()).collect(),
            providers: config.routes.iter().map(|route| route.provider.as_str().into()).collect(),
            remembered: Remembered::default(),
            guesses: config.guesses.clone(),
            public: config.public_reflection,
        };
        for (index, issuer) in config.issuers.iter().enumerate() {
            let issuer = Issuer { config: issuer.clone(), ring: shared.ring(issuer, index)? };
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

    fn admit(&mut self, entry: &PrincipalConfig, limits: QuotaLimits, shared: &Shared) {
        let grants = Grants::of(self.roster.principal(&entry.name));
        let principal = shared.principal(&entry.name, grants, limits);
        for key in &entry.api_keys {
            self.admit_key(key, &principal, shared);
        }
        let certificates = entry.certificates.iter().map(|name| (name.as_str().into(), Arc::clone(&principal)));
        self.by_certificate.extend(certificates);
        let tokens = entry.tokens.iter().map(|name| (name.as_str().into(), Arc::clone(&principal)));
        self.by_token.extend(tokens);
    }

    fn admit_key(&mut self, key: &KeyHash, principal: &Arc<Principal>, shared: &Shared) {
        let (principal, mark) = (Arc::clone(principal), shared.marks.of(key));
        self.by_key.insert(*key, KeyHolder { hash: *key, principal, mark, entry: None });
    }

    /// The limits of a principal.
    pub(super) fn limits_of(&self, name: &str) -> QuotaLimits {
        self.own_limits.get(name).copied().unwrap_or(self.limits)
    }

    /// Whether there is anybody whose tokens are believed.
    pub(super) fn takes_tokens(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// Who has a certificate with these names; nobody if they are names of several.
    pub(super) fn by_certificate(&self, names: &[String]) -> Option<Arc<Principal>> {
        let mut found = names.iter().filter_map(|name| self.by_certificate.get(name.as_str()));
        let principal = found.next()?;
        found.all(|other| Arc::ptr_eq(other, principal)).then(|| Arc::clone(principal))
    }

    /// The issuer that calls itself so.
    pub(super) fn issuer(&self, name: &str) -> Option<&Issuer> {
        self.issuers.get(name)
    }

    /// The principal of a verified token: that of the configuration if it knows the token's name, else `issuer:subject`;
    /// either with the grants of the groups that the token claims.
    pub(super) fn token(&self, issuer: &str, verified: &Verified, shared: &Shared) -> Arc<Principal> {
        let full = format!("{issuer}:{}", verified.subject);
        let known = self.by_token.get(full.as_str());
        let claimed: Vec<&Arc<Grant>> = self.roster.claims(issuer, &verified.groups).collect();
        match known {
            Some(principal) if claimed.is_empty() => Arc::clone(principal),
            Some(principal) => {
                let grants = self.roster.principal(&principal.name).iter().chain(claimed);
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
