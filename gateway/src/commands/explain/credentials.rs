//! The credentials that a principal can use: its permissions may depend on which one it sends.

use std::sync::Arc;

use super::{CommandConfig, Policy};
use crate::{
    config::{PrincipalConfig, key_entry::KeyEntry, key_file::KeyFile},
    policy::{bindings::Bindings, grant::Grant},
};

/// One way, and what it opens.
pub(super) struct Credential {
    /// What it is, for people.
    pub(super) name: String,
    /// The grants that come with it in any case.
    pub(super) grants: Vec<Arc<Grant>>,
    /// What a token may also open by what it claims.
    pub(super) unseen: Vec<ClaimGrants>,
}

/// What a token may claim, and the grants that come with it.
pub(super) struct ClaimGrants {
    /// `issuer:value`.
    pub(super) value: String,
    /// The grants.
    pub(super) grants: Vec<Arc<Grant>>,
}

/// The policy, ready to be asked.
struct Ways<'a> {
    policy: &'a Policy,
    bindings: Bindings,
    file: KeyFile,
    claims: &'a [(String, String)],
    site: &'a CommandConfig,
}

impl Policy {
    /// The credentials of the principal with this name, or the one credential with it.
    pub(super) fn credentials(
        &self,
        name: &str,
        claims: &[(String, String)],
        site: &CommandConfig,
    ) -> Result<Vec<Credential>, String> {
        let file = self.keys.as_ref().map_or_else(|| Ok(KeyFile::default()), |keys| KeyFile::read_if_there(&keys.file));
        let file = file.map_err(|error| error.to_string())?;
        if let Some((issuer, value)) = claims.iter().find(|(issuer, _)| !self.has_issuer(issuer)) {
            return Err(format!("--claim {issuer}:{value}: there is no issuer {issuer:?}"));
        }
        let ways = Ways { policy: self, bindings: Bindings::new(&self.groups, &self.grants), file, claims, site };
        let found = ways.named(name)?;
        match found.is_empty() {
            true => Err(format!("there is no principal {name:?}")),
            false => Ok(found),
        }
    }

    fn has_issuer(&self, name: &str) -> bool {
        self.issuers.iter().any(|issuer| issuer.name == name)
    }
}

impl Ways<'_> {
    fn named(&self, name: &str) -> Result<Vec<Credential>, String> {
        let principals = || self.policy.principals.iter();
        if let Some(entry) = principals().find(|entry| entry.name == name) {
            return Ok(self.principal(entry));
        }
        if let Some(entry) = principals().find(|entry| entry.certificates.iter().any(|known| known.as_str() == name)) {
            return Ok(vec![self.configured(entry)]);
        }
        let keys: Vec<_> = self.keys(|key| key.name == name || key.hash.id() == name).collect();
        match name.split_once(':') {
            Some((issuer, _)) if keys.is_empty() && self.policy.has_issuer(issuer) => {
                Ok(vec![self.token(issuer, name)])
            }
            Some((issuer, _)) if keys.is_empty() => Err(format!("there is no issuer {issuer:?}")),
            _ => Ok(keys),
        }
    }

    /// All credentials of a configured principal.
    fn principal(&self, entry: &PrincipalConfig) -> Vec<Credential> {
        let tokens = entry.tokens.iter().filter_map(|token| Some(self.token(token.split_once(':')?.0, token)));
        let mut all: Vec<_> = tokens.chain(self.keys(|key| key.name == entry.name)).collect();
        if all.is_empty() || !entry.api_keys.is_empty() || !entry.certificates.is_empty() {
            all.insert(0, self.configured(entry));
        }
        all
    }

    fn configured(&self, entry: &PrincipalConfig) -> Credential {
        let grants = self.bindings.principal(&entry.name).to_vec();
        let name = "a key or certificate of the configuration".to_owned();
        Credential { name, grants, unseen: Vec::new() }
    }

    fn keys(&self, is_meant: impl Fn(&KeyEntry) -> bool) -> impl Iterator<Item = Credential> {
        let counts = |key: &KeyEntry| key.is_good() && self.site.believes(key).is_ok();
        let entries = self.file.entries.iter().filter(move |entry| is_meant(&entry.key) && counts(&entry.key));
        entries.map(|entry| {
            let name = format!("key {} of the file of keys", entry.key.hash.id());
            Credential { name, grants: self.bindings.key(entry.position.index, &entry.key), unseen: Vec::new() }
        })
    }

    /// A token, with the claims from the command line; without any, its claims are unknown.
    fn token(&self, issuer: &str, full: &str) -> Credential {
        let known = self.policy.principals.iter().find(|entry| entry.tokens.iter().any(|token| token == full));
        let own = known.map_or(&[][..], |entry| self.bindings.principal(&entry.name));
        let said: Vec<String> =
            self.claims.iter().filter(|(of, _)| of == issuer).map(|(_, value)| value.clone()).collect();
        let claimed = self.bindings.claims(issuer, &said).cloned();
        let grants = own.iter().cloned().chain(claimed).collect();
        let unseen = if said.is_empty() { self.unseen(issuer) } else { Vec::new() };
        Credential { name: format!("the token {full}"), grants, unseen }
    }

    /// Each claim of an issuer that is worth something.
    fn unseen(&self, issuer: &str) -> Vec<ClaimGrants> {
        let claims = self.policy.groups.iter().flat_map(|group| &group.claims);
        let mut values: Vec<&str> = claims.filter_map(|claim| claim.strip_prefix(issuer)?.strip_prefix(':')).collect();
        values.sort_unstable();
        values.dedup();
        let grants = |value: &str| self.bindings.claims(issuer, &[value.to_owned()]).cloned().collect();
        values
            .into_iter()
            .map(|value| ClaimGrants { value: format!("{issuer}:{value}"), grants: grants(value) })
            .collect()
    }
}
