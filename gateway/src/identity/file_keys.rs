//! The keys of the file as they count beside one configuration.

use std::{collections::HashSet, sync::Arc};

use rustc_hash::FxHashMap;

use crate::{
    config::{
        key_entry::{BadEntry, KeyEntry},
        key_file::{Entry, KeyFile},
    },
    identity::access::{Access, KeyHolder, Shared},
    key::KeyHash,
    policy::Grants,
};

/// The keys of the file that count, and what is wrong with the others.
#[derive(Debug, Default)]
pub(crate) struct FileKeys {
    pub(super) by_key: FxHashMap<KeyHash, KeyHolder>,
    /// Entries that do not count, in the order of the file.
    pub(super) bad: Vec<BadEntry>,
}

impl FileKeys {
    /// Admits every entry that is right by itself and beside the configuration.
    pub(super) fn admitted(file: &KeyFile, access: &Access, shared: &Shared) -> Self {
        let mut keys = Self { by_key: FxHashMap::default(), bad: file.bad.clone() };
        for entry in &file.entries {
            match check(entry, access) {
                Ok(()) => drop(keys.by_key.insert(entry.key.hash, holder(entry, access, shared))),
                Err(bad) => keys.bad.push(bad),
            }
        }
        keys.bad.sort_by_key(|bad| bad.place.line);
        keys
    }

    /// Entries that do not count now: those that are wrong, and those that are over.
    pub(super) fn problems(&self) -> Vec<BadEntry> {
        let over = self.by_key.values().filter(|key| !key.is_good()).filter_map(|key| key.entry.as_ref());
        let over = over.map(|entry| {
            let expires = entry.key.expires.map(|expires| expires.to_string()).unwrap_or_default();
            entry.place.clone().bad("", format!("expired at {expires}"))
        });
        let mut problems: Vec<_> = self.bad.iter().cloned().chain(over).collect();
        problems.sort_by_key(|bad| bad.place.line);
        problems
    }
}

fn holder(entry: &Arc<Entry>, access: &Access, shared: &Shared) -> KeyHolder {
    let key = &entry.key;
    let grants = Grants::of(&access.roster.key(entry.place.index, key));
    let principal = shared.principal(&key.name, grants, access.limits_of(&key.name));
    KeyHolder { hash: key.hash, principal, mark: shared.marks.of(&key.hash), entry: Some(Arc::clone(entry)) }
}

/// What a configuration has that entries may name.
pub(crate) struct Named<'a> {
    pub(crate) groups: &'a HashSet<Box<str>>,
    /// Providers that there is a route to.
    pub(crate) providers: &'a HashSet<Box<str>>,
}

impl Named<'_> {
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

fn check(entry: &Entry, access: &Access) -> Result<(), BadEntry> {
    let bad = |(field, problem): (&str, String)| entry.place.clone().bad(field, problem);
    if access.by_key.contains_key(&entry.key.hash) {
        return Err(bad(("hash", "must not be that of a key of [[principals]]".to_owned())));
    }
    Named { groups: &access.groups, providers: &access.providers }.check(&entry.key).map_err(bad)
}
