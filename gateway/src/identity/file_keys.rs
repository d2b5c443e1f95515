//! The keys of the key file that are valid with one configuration.

use std::{collections::HashSet, sync::Arc};

use rustc_hash::FxHashMap;

use crate::{
    config::{
        key_entry::{BadEntry, KeyEntry},
        key_file::{KeyFile, LocatedEntry},
    },
    identity::access::{Access, ActiveKey, ReloadState},
    key::KeyHash,
    policy::Grants,
};

/// The valid keys of the file, and what is wrong with the others.
#[derive(Debug, Default)]
pub(crate) struct FileKeys {
    pub(super) by_key: FxHashMap<KeyHash, ActiveKey>,
    /// Invalid entries, in the order of the file.
    pub(super) bad: Vec<BadEntry>,
}

impl FileKeys {
    /// Accepts every entry that is valid in itself and with the configuration.
    pub(super) fn admitted(file: &KeyFile, access: &Access, shared: &ReloadState) -> Self {
        let mut keys = Self { by_key: FxHashMap::default(), bad: file.bad.clone() };
        for entry in &file.entries {
            match check(entry, access) {
                Ok(()) => drop(keys.by_key.insert(entry.key.hash, holder(entry, access, shared))),
                Err(bad) => keys.bad.push(bad),
            }
        }
        keys.bad.sort_by_key(|bad| bad.position.line);
        keys
    }

    /// Entries that do not count now: invalid and expired ones.
    pub(super) fn problems(&self) -> Vec<BadEntry> {
        let over = self.by_key.values().filter(|key| !key.is_good()).filter_map(|key| key.entry.as_ref());
        let over = over.map(|entry| {
            let expires = entry.key.expires.map(|expires| expires.to_string()).unwrap_or_default();
            entry.position.clone().bad("", format!("expired at {expires}"))
        });
        let mut problems: Vec<_> = self.bad.iter().cloned().chain(over).collect();
        problems.sort_by_key(|bad| bad.position.line);
        problems
    }
}

fn holder(entry: &Arc<LocatedEntry>, access: &Access, shared: &ReloadState) -> ActiveKey {
    let key = &entry.key;
    let grants = Grants::of(&access.bindings.key(entry.position.index, key));
    let principal = shared.principal(&key.name, grants, access.limits_of(&key.name));
    ActiveKey { hash: key.hash, principal, last_used: shared.last_uses.of(&key.hash), entry: Some(Arc::clone(entry)) }
}

/// The names of a configuration that entries may use.
pub(crate) struct KnownNames<'a> {
    pub(crate) groups: &'a HashSet<Box<str>>,
    /// Providers that there is a route to.
    pub(crate) providers: &'a HashSet<Box<str>>,
}

impl KnownNames<'_> {
    /// Checks what a key names; the error is the field and what is wrong with it.
    pub(crate) fn check(&self, key: &KeyEntry) -> Result<(), (&'static str, String)> {
        if let Some(name) = key.groups.iter().find(|name| !self.groups.contains(name.as_str())) {
            return Err(("groups", format!("must be groups of the configuration, which has no {name:?}")));
        }
        let mut accounts = key.grants.iter().flat_map(|grant| &grant.accounts);
        let unknown = accounts.find_map(|account| account.provider().filter(|name| !self.providers.contains(*name)));
        match unknown {
            Some(name) => Err(("grants", format!("must name providers that have a route, and {name:?} has none"))),
            None => Ok(()),
        }
    }
}

fn check(entry: &LocatedEntry, access: &Access) -> Result<(), BadEntry> {
    let bad = |(field, problem): (&str, String)| entry.position.clone().bad(field, problem);
    if access.by_key.contains_key(&entry.key.hash) {
        return Err(bad(("hash", "must not be that of a key of [[principals]]".to_owned())));
    }
    KnownNames { groups: &access.groups, providers: &access.providers }.check(&entry.key).map_err(bad)
}
