//! What callers may do, as it is written down: `[[groups]]` and `[[grants]]`.

use std::collections::HashSet;

use chassis::Error;
use serde::Deserialize;

use super::{Config, check_name};
use crate::policy::pattern::{AccountPattern, MethodPattern};

/// One of `[[groups]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// Its name, as grants know it.
    pub name: String,
    /// Principals that are always in it.
    #[serde(default)]
    pub principals: Vec<String>,
    /// Values of an issuer's groups claims that put a token's principal into it: `issuer:value`.
    #[serde(default)]
    pub claims: Vec<String>,
}

/// One of `[[grants]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantConfig {
    /// Who is granted it.
    #[serde(default)]
    pub principals: Vec<String>,
    /// Whose members are granted it.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Which methods.
    pub methods: Vec<MethodPattern>,
    /// With which accounts.
    pub accounts: Vec<AccountPattern>,
}

/// Checks groups and grants against what they name.
pub(super) fn check(config: &Config) -> Result<(), Error> {
    let principals: HashSet<_> = config.principals.iter().map(|principal| principal.name.as_str()).collect();
    let issuers: HashSet<_> = config.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    let mut groups = HashSet::new();
    for (index, group) in config.groups.iter().enumerate() {
        let key = |field: &str| format!("groups[{index}].{field}");
        check_name(&key("name"), &group.name)?;
        if !groups.insert(group.name.as_str()) {
            return Err(Error::config(key("name"), "is the name of another group"));
        }
        check_known(key("principals"), "principal", &group.principals, &principals)?;
        check_values(&key("claims"), &group.claims, &issuers)?;
    }
    for (index, grant) in config.grants.iter().enumerate() {
        let key = |field: &str| format!("grants[{index}].{field}");
        if grant.principals.is_empty() && grant.groups.is_empty() {
            return Err(Error::config(key("principals"), "names nobody, and groups neither"));
        }
        check_known(key("principals"), "principal", &grant.principals, &principals)?;
        check_known(key("groups"), "group", &grant.groups, &groups)?;
        check_accounts(config, key("accounts"), &grant.accounts)?;
    }
    Ok(())
}

/// Checks that there is a route to every provider that is named.
pub(crate) fn check_accounts(config: &Config, key: String, accounts: &[AccountPattern]) -> Result<(), Error> {
    let known = |name: &str| config.routes.iter().any(|route| route.provider == name);
    match accounts.iter().filter_map(AccountPattern::provider).find(|name| !known(name)) {
        Some(name) => Err(Error::config(key, format!("there is no route to a provider {name:?}"))),
        None => Ok(()),
    }
}

/// Checks that all that is named is there.
pub(crate) fn check_known(key: String, what: &str, names: &[String], known: &HashSet<&str>) -> Result<(), Error> {
    match names.iter().find(|name| !known.contains(name.as_str())) {
        Some(name) => Err(Error::config(key, format!("there is no {what} {name:?}"))),
        None => Ok(()),
    }
}

/// Checks that values are written as `issuer:value`.
pub(super) fn check_values(key: &str, values: &[String], issuers: &HashSet<&str>) -> Result<(), Error> {
    for value in values {
        match value.split_once(':') {
            Some((issuer, rest)) if !rest.is_empty() && issuers.contains(issuer) => {}
            _ => return Err(Error::config(key, format!("{value:?} is not \"issuer:value\" with one of the issuers"))),
        }
    }
    Ok(())
}
