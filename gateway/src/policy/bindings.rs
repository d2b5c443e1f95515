//! Binds grants to principals, groups and token claims.

use std::{collections::HashMap, sync::Arc};

use crate::{
    config::{GrantConfig, GroupConfig, key_entry::KeyEntry},
    policy::grant::{Grant, GrantSource},
};

type ByName = HashMap<String, Vec<Arc<Grant>>>;

/// All grants, by what they are bound to.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    principals: ByName,
    groups: ByName,
    claims: ByName,
}

impl Bindings {
    /// Reads groups and grants.
    pub(crate) fn new(groups: &[GroupConfig], grants: &[GrantConfig]) -> Self {
        let mut bindings = Self::default();
        for (index, config) in grants.iter().enumerate() {
            let grant = Arc::new(Grant::new(GrantSource::Config(index), &config.methods, &config.accounts));
            config.principals.iter().for_each(|name| give(&mut bindings.principals, name, [&grant]));
            config.groups.iter().for_each(|name| give(&mut bindings.groups, name, [&grant]));
        }
        for group in groups {
            let Some(grants) = bindings.groups.get(&group.name) else {
                continue;
            };
            group.principals.iter().for_each(|name| give(&mut bindings.principals, name, grants));
            group.claims.iter().for_each(|claim| give(&mut bindings.claims, claim, grants));
        }
        bindings
    }

    /// The grants of a configured principal.
    pub(crate) fn principal(&self, name: &str) -> &[Arc<Grant>] {
        self.principals.get(name).map_or(&[], Vec::as_slice)
    }

    /// The grants of a token by its claims.
    pub(crate) fn claims(&self, issuer: &str, values: &[String]) -> impl Iterator<Item = &Arc<Grant>> {
        values.iter().filter_map(move |value| self.claims.get(&format!("{issuer}:{value}"))).flatten()
    }

    /// The grants of a key of the key file.
    pub(crate) fn key(&self, index: usize, key: &KeyEntry) -> Vec<Arc<Grant>> {
        let own =
            key.grants.iter().map(|grant| Grant::new(GrantSource::KeyFile(index), &grant.methods, &grant.accounts));
        let groups = key.groups.iter().filter_map(|name| self.groups.get(name)).flatten();
        own.map(Arc::new).chain(groups.cloned()).chain(self.principal(&key.name).iter().cloned()).collect()
    }
}

fn give<'a>(all: &mut ByName, name: &str, grants: impl IntoIterator<Item = &'a Arc<Grant>>) {
    all.entry(name.to_owned()).or_default().extend(grants.into_iter().cloned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_come_by_name_by_group_and_by_claim() {
        let group = |text: &str| toml::from_str::<GroupConfig>(text).unwrap();
        let grant = |text: &str| {
            toml::from_str::<GrantConfig>(&format!("{text}\nmethods = [\"*\"]\naccounts = [\"*\"]")).unwrap()
        };
        let groups = [
            group("name = \"staff\"\nprincipals = [\"billing\"]\nclaims = [\"corp:people\"]"),
            group("name = \"empty\"\nprincipals = [\"billing\"]"),
        ];
        let grants =
            [grant("principals = [\"billing\"]"), grant("groups = [\"staff\"]"), grant("groups = [\"other\"]")];
        let bindings = Bindings::new(&groups, &grants);
        let sources = |grants: &[Arc<Grant>]| grants.iter().map(|grant| grant.source).collect::<Vec<_>>();
        assert_eq!(sources(bindings.principal("billing")), [GrantSource::Config(0), GrantSource::Config(1)]);
        assert_eq!(sources(bindings.principal("staff")), []);
        let claimed = |issuer: &str, value: &str| bindings.claims(issuer, &[value.to_owned()]).count();
        assert_eq!((claimed("corp", "people"), claimed("other", "people"), claimed("corp", "staff")), (1, 0, 0));
        let key: KeyEntry = toml::from_str(&format!(
            "name = \"billing\"\nhash = \"{}\"\ncreated = \"\"\ngroups = [\"other\"]\ngrants = [\"reads@*\"]",
            crate::key::KeyHash::of("one")
        ))
        .unwrap();
        let expected =
            [GrantSource::KeyFile(3), GrantSource::Config(2), GrantSource::Config(0), GrantSource::Config(1)];
        assert_eq!(sources(&bindings.key(3, &key)), expected);
    }
}
