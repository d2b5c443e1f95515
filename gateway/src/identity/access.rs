//! One state of who may call: made from a configuration, replaced as a whole.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use chassis::Error;
use jsonwebtoken::Algorithm;
use rustc_hash::FxHashMap;

use crate::{
    config::{Config, IssuerConfig, JwksConfig, PrincipalConfig},
    identity::{
        guesses::Guesses,
        issuer::{Issuer, Key, KeyRing, Verified, fetcher, keys},
        key::KeyHash,
        key_file::KeyFile,
        key_list::Origin,
        marks::{Mark, Marks},
        remembered::Remembered,
    },
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
    /// Wrong keys.
    pub(super) guesses: Guesses,
    /// Keys of issuers by where they come from.
    rings: Mutex<Vec<(Source, Weak<KeyRing>)>>,
}

/// One API key.
#[derive(Debug)]
pub(super) struct KeyHolder {
    pub(super) hash: KeyHash,
    pub(super) principal: Arc<Principal>,
    pub(super) mark: Arc<Mark>,
    pub(super) from: Origin,
}

/// One state of who may call.
#[derive(Debug)]
pub(crate) struct Access {
    by_key: FxHashMap<KeyHash, KeyHolder>,
    by_certificate: FxHashMap<Box<str>, Arc<Principal>>,
    /// Principals that have a name of their own for a token's.
    by_token: FxHashMap<Box<str>, Arc<Principal>>,
    issuers: HashMap<Box<str>, Issuer>,
    roster: Roster,
    /// The limits of a principal that the configuration does not know.
    limits: QuotaLimits,
    /// Tokens that were verified under this state.
    pub(super) remembered: Remembered,
    /// How many wrong keys an address may send in a minute.
    pub(super) guesses: u32,
    /// Whether reflection and health of services are open to everybody.
    pub(super) public: bool,
}

impl Shared {
    /// Begins with nothing known.
    pub(super) fn new(quotas: Arc<Quotas>) -> Self {
        Self { quotas, ..Self::default() }
    }

    fn principal(&self, name: &str, grants: Grants, limits: QuotaLimits) -> Arc<Principal> {
        let name = Arc::from(name);
        let quota = self.quotas.of(&name, limits);
        Arc::new(Principal { name, grants, quota })
    }

    /// The keys of an issuer: those that are there already if they come from the same place.
    fn ring(&self, issuer: &IssuerConfig, index: usize) -> Result<Arc<KeyRing>, Error> {
        if let Some(keys) = keys_of_file(issuer, index)? {
            return Ok(Arc::new(KeyRing::fixed(keys)));
        }
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.retain(|(_, ring)| ring.strong_count() > 0);
        let source = (issuer.jwks.clone(), issuer.algorithms.clone());
        let same = rings.iter().find(|(known, _)| *known == source);
        if let Some(ring) = same.and_then(|(_, ring)| ring.upgrade()) {
            return Ok(ring);
        }
        let ask = fetcher(issuer).map_err(|problem| Error::config(format!("issuers[{index}].jwks.url"), problem))?;
        let ring = Arc::new(KeyRing::followed(&issuer.jwks, ask));
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
            remembered: Remembered::default(),
            guesses: config.guesses.per_minute,
            public: config.public_reflection,
        };
        let file = key_file(config)?;
        for (index, issuer) in config.issuers.iter().enumerate() {
            let issuer = Issuer { config: issuer.clone(), ring: shared.ring(issuer, index)? };
            access.issuers.insert(issuer.config.issuer.as_str().into(), issuer);
        }
        shared.marks.stand_beside(config.keys.as_ref().map(|keys| keys.file.as_path()));
        let mut limits = HashMap::new();
        for entry in &config.principals {
            let own = QuotaLimits::of(entry, &config.limits);
            limits.insert(entry.name.as_str(), own);
            access.admit(entry, own, shared);
        }
        for (index, key) in file.keys.iter().enumerate() {
            let grants = Grants::of(&access.roster.key(index, key));
            let limits = limits.get(key.name.as_str()).copied().unwrap_or(access.limits);
            access.admit_key(&key.hash, &shared.principal(&key.name, grants, limits), Origin::KeyFile, shared);
        }
        Ok(access)
    }

    fn admit(&mut self, entry: &PrincipalConfig, limits: QuotaLimits, shared: &Shared) {
        let grants = Grants::of(self.roster.principal(&entry.name));
        let principal = shared.principal(&entry.name, grants, limits);
        for key in &entry.api_keys {
            self.admit_key(key, &principal, Origin::Configuration, shared);
        }
        let certificates = entry.certificates.iter().map(|name| (name.as_str().into(), Arc::clone(&principal)));
        self.by_certificate.extend(certificates);
        let tokens = entry.tokens.iter().map(|name| (name.as_str().into(), Arc::clone(&principal)));
        self.by_token.extend(tokens);
    }

    fn admit_key(&mut self, key: &KeyHash, principal: &Arc<Principal>, from: Origin, shared: &Shared) {
        let (principal, mark) = (Arc::clone(principal), shared.marks.of(key));
        self.by_key.insert(*key, KeyHolder { hash: *key, principal, mark, from });
    }

    /// Every API key.
    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = &KeyHolder> {
        self.by_key.values()
    }

    /// Whether there is anybody whose tokens are believed.
    pub(super) fn takes_tokens(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// Who has a key, which is then marked as used.
    pub(super) fn by_key(&self, presented: &KeyHash) -> Option<Arc<Principal>> {
        let holder = self.by_key.get(presented)?;
        if !holder.hash.is(presented) {
            return None;
        }
        holder.mark.set();
        Some(Arc::clone(&holder.principal))
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

/// The file of keys, empty if the configuration names none.
pub(super) fn key_file(config: &Config) -> Result<KeyFile, Error> {
    config.keys.as_ref().map_or_else(|| Ok(KeyFile::default()), |keys| KeyFile::read(&keys.file))
}

/// The keys of an issuer that has them in a file.
pub(super) fn keys_of_file(issuer: &IssuerConfig, index: usize) -> Result<Option<Vec<Key>>, Error> {
    let Some(file) = &issuer.jwks.file else {
        return Ok(None);
    };
    let wrong = |problem: String| Error::config(format!("issuers[{index}].jwks.file"), problem);
    let text = reference::read(file).map_err(|error| wrong(format!("cannot be read: {}", error.kind())))?;
    keys(&text, &issuer.algorithms).map(Some).map_err(|problem| wrong(problem.to_owned()))
}
