//! The configuration of permissions: `[[groups]]` and `[[grants]]`.

use std::collections::HashSet;

use config::Findings;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, check_name};
use crate::config::pattern::{AccountPattern, MethodPattern, Reach};

/// One of `[[groups]]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// Its name in grants.
    pub name: String,
    /// Principals that are always members.
    #[serde(default)]
    pub principals: Vec<String>,
    /// Group claims that make a token's principal a member: `issuer:value`.
    #[serde(default)]
    pub claims: Vec<String>,
}

/// One of `[[grants]]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantConfig {
    /// Principals that have the grant.
    #[serde(default)]
    pub principals: Vec<String>,
    /// Groups whose members have the grant.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The methods it covers.
    pub methods: Vec<MethodPattern>,
    /// The accounts it covers.
    pub accounts: Vec<AccountPattern>,
}

/// Checks that the names in groups and grants exist.
pub(super) fn check(config: &Config, findings: &mut Findings) {
    let mut groups = HashSet::new();
    for (index, group) in config.groups.iter().enumerate() {
        let key = |field: &str| format!("groups[{index}].{field}");
        check_name(&key("name"), &group.name, findings);
        if !groups.insert(group.name.as_str()) {
            findings.mistake(key("name"), "must not be the name of another group");
        }
        check_principals(config, &key("principals"), &group.principals, findings);
        check_values(config, &key("claims"), &group.claims, findings);
        if group.principals.is_empty() && group.claims.is_empty() && config.keys.is_none() && findings.is_whole("keys")
        {
            findings.warning(key("name"), "has no effect: nobody is in the group");
        }
    }
    for (index, grant) in config.grants.iter().enumerate() {
        check_grant(config, index, grant, findings);
    }
}

fn check_grant(config: &Config, index: usize, grant: &GrantConfig, findings: &mut Findings) {
    let key = |field: &str| format!("grants[{index}].{field}");
    if grant.principals.is_empty() && grant.groups.is_empty() {
        findings.mistake(key("principals"), "must name somebody, unless groups does");
    }
    check_principals(config, &key("principals"), &grant.principals, findings);
    check_groups(config, &key("groups"), &grant.groups, findings);
    check_methods(config, &key("methods"), &grant.methods, findings);
    check_accounts(config, &key("accounts"), &grant.accounts, findings);
    let granted = |provider: &String| {
        grant.accounts.iter().any(|account| account.provider().is_none_or(|named| named == provider))
    };
    for (position, method) in grant.methods.iter().enumerate() {
        if matches!(method.reach(), Reach::Provider(provider) if config.routes_to(&provider) && !granted(&provider)) {
            let place = format!("{}[{position}]", key("methods"));
            findings.warning(place, "has no effect: no account of its provider is granted");
        }
    }
}

fn check_principals(config: &Config, key: &str, names: &[String], findings: &mut Findings) {
    let known: HashSet<_> = config.principals.iter().map(|principal| principal.name.as_str()).collect();
    check_known(key, ("principals", "principal"), names, &known, findings);
}

/// Checks that all groups exist.
pub(crate) fn check_groups(config: &Config, key: &str, names: &[String], findings: &mut Findings) {
    let known: HashSet<_> = config.groups.iter().map(|group| group.name.as_str()).collect();
    check_known(key, ("groups", "group"), names, &known, findings);
}

fn check_known(
    key: &str,
    (section, what): (&str, &str),
    names: &[String],
    known: &HashSet<&str>,
    findings: &mut Findings,
) {
    if !findings.is_whole(section) {
        return;
    }
    for (index, name) in names.iter().enumerate().filter(|(_, name)| !known.contains(name.as_str())) {
        findings
            .mistake(format!("{key}[{index}]"), format!("must be the name of a {what}; there is no {what} {name:?}"));
    }
}

/// Warns of accounts of providers without a route.
fn check_accounts(config: &Config, key: &str, accounts: &[AccountPattern], findings: &mut Findings) {
    if accounts.is_empty() {
        findings.warning(key, "has no effect: it is empty");
    }
    for (index, provider) in accounts.iter().map(AccountPattern::provider).enumerate() {
        if let Some(provider) = provider {
            check_provider(config, &format!("{key}[{index}]"), provider, findings);
        }
    }
}

/// Warns of methods of providers without a route, or of none.
pub(super) fn check_methods(config: &Config, key: &str, methods: &[MethodPattern], findings: &mut Findings) {
    if methods.is_empty() {
        findings.warning(key, "has no effect: it is empty");
    }
    for (index, method) in methods.iter().enumerate() {
        let key = format!("{key}[{index}]");
        match method.reach() {
            Reach::Any => {}
            Reach::Provider(provider) => check_provider(config, &key, &provider, findings),
            Reach::Nobody => {
                findings.warning(key, "has no effect: methods are called ispbridge.PROVIDER.v1.Service/Method");
            }
        }
    }
}

fn check_provider(config: &Config, key: &str, provider: &str, findings: &mut Findings) {
    if findings.is_whole("routes") && !config.routes_to(provider) {
        findings.warning(key, format!("has no effect: there is no route to a provider {provider:?}"));
    }
}

/// Checks that values are written as `issuer:value`.
pub(super) fn check_values(config: &Config, key: &str, values: &[String], findings: &mut Findings) {
    let is_known =
        |name: &str| config.issuers.iter().any(|issuer| issuer.name == name) || !findings.is_whole("issuers");
    let is_good = |value: &String| {
        let parts = value.split_once(':').filter(|(_, rest)| !rest.is_empty());
        parts.is_some_and(|(issuer, _)| is_known(issuer))
    };
    let wrong: Vec<_> = (0..values.len()).filter(|index| !is_good(&values[*index])).collect();
    for index in wrong {
        findings.mistake(format!("{key}[{index}]"), "must be \"issuer:value\" with the name of one of [[issuers]]");
    }
}
