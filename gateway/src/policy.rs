//! What a principal may do: method x account, refused unless a grant says otherwise.

pub(crate) mod pattern;

use std::collections::BTreeSet;

use tonic::Code;

use crate::{
    answer::{Answer, Outcome},
    catalog::Nature,
    method::MethodName,
    policy::pattern::{AccountPattern, MethodPattern, is_alias},
};

/// The header that names the upstream account.
pub(crate) const ACCOUNT: &str = "x-ispbridge-account";

/// One permission: these methods with these accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Methods it covers; any of them.
    pub(crate) methods: Vec<MethodPattern>,
    /// Accounts it covers; any of them.
    pub(crate) accounts: Vec<AccountPattern>,
}

impl Grant {
    fn covers(&self, call: &Call<'_>) -> bool {
        let mut methods = self.methods.iter();
        methods.any(|pattern| pattern.covers(&call.method, call.nature)) && self.reaches(call.provider)
    }

    fn reaches(&self, provider: &str) -> bool {
        let mut named = self.accounts.iter().map(AccountPattern::provider);
        named.any(|name| name.is_none_or(|name| name == provider))
    }

    fn hangs_on_nature(&self, call: &Call<'_>) -> bool {
        self.methods.contains(&MethodPattern::Reads) && self.reaches(call.provider)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The method.
    pub(crate) method: MethodName<'a>,
    /// Its provider, e.g. `internet-solutions`.
    pub(crate) provider: &'a str,
    /// Whether it reads or writes; `None` while the provider's services were never seen.
    pub(crate) nature: Option<Nature>,
}

/// Decides whether the call may be made and with which account.
pub(crate) fn decide(grants: &[Grant], call: &Call<'_>, account: Option<&str>) -> Result<String, Box<Answer>> {
    let covering = || grants.iter().filter(|grant| grant.covers(call));
    if covering().next().is_none() {
        let undecided = call.nature.is_none() && grants.iter().any(|grant| grant.hangs_on_nature(call));
        return Err(if undecided { not_learnt(call.provider) } else { denied(call) });
    }
    let patterns = || covering().flat_map(|grant| &grant.accounts);
    let Some(alias) = account else {
        return only_account(patterns(), call);
    };
    if !is_alias(alias) {
        return Err(bad_account("is not an account alias"));
    }
    let granted = patterns().any(|pattern| pattern.covers(call.provider, alias));
    granted.then(|| alias.to_owned()).ok_or_else(|| denied(call))
}

/// The account that is meant when none is named: the only one that is granted.
fn only_account<'a>(
    patterns: impl Iterator<Item = &'a AccountPattern>,
    call: &Call<'_>,
) -> Result<String, Box<Answer>> {
    let mut aliases = BTreeSet::new();
    for pattern in patterns {
        match pattern {
            AccountPattern::One { provider, alias } if provider == call.provider => {
                aliases.insert(alias);
            }
            AccountPattern::One { .. } => {}
            AccountPattern::Provider(provider) if provider != call.provider => {}
            AccountPattern::All | AccountPattern::Provider(_) => {
                return Err(bad_account("is required: every account is granted"));
            }
        }
    }
    match (aliases.pop_first(), aliases.is_empty()) {
        (Some(alias), true) => Ok(alias.clone()),
        _ => Err(bad_account("is required: more than one account is granted")),
    }
}

fn denied(call: &Call<'_>) -> Box<Answer> {
    let text = "no grant covers this method with this account";
    Answer::new(Code::PermissionDenied, "NOT_GRANTED", text)
        .with("method", call.method.full)
        .with("provider", call.provider)
        .outcome(Outcome::NotSent)
}

fn not_learnt(provider: &str) -> Box<Answer> {
    let text = format!("the methods of provider {provider} are not known yet");
    Answer::new(Code::Unavailable, "CATALOG_NOT_READY", text)
        .with("provider", provider)
        .outcome(Outcome::NotSent)
        .retry_after(std::time::Duration::from_secs(1))
}

/// The header of the account is wrong or missing.
pub(crate) fn bad_account(what: &str) -> Box<Answer> {
    let text = format!("the header {ACCOUNT} {what}");
    Answer::new(Code::InvalidArgument, "ACCOUNT_REQUIRED", text)
        .violation(ACCOUNT, what)
        .with("header", ACCOUNT)
        .outcome(Outcome::NotSent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "ispbridge.aex.v1.CustomerService/GetCustomer";
    const ADD: &str = "ispbridge.aex.v1.CustomerService/AddCustomer";

    fn grant(methods: &[&str], accounts: &[&str]) -> Grant {
        let method = |text: &&str| MethodPattern::try_from((*text).to_owned()).unwrap();
        let account = |text: &&str| AccountPattern::try_from((*text).to_owned()).unwrap();
        Grant { methods: methods.iter().map(method).collect(), accounts: accounts.iter().map(account).collect() }
    }

    fn ask(grants: &[Grant], full: &str, account: Option<&str>) -> Result<String, Code> {
        let path = format!("/{full}");
        let method = MethodName::parse(&path).unwrap();
        let nature = if full == GET { Nature::Read } else { Nature::Write };
        let call = Call { method, provider: "aex", nature: Some(nature) };
        decide(grants, &call, account).map_err(|answer| answer.code())
    }

    #[test]
    fn without_a_grant_nothing_is_allowed() {
        assert_eq!(ask(&[], GET, Some("main")), Err(Code::PermissionDenied));
        let other = [grant(&["*"], &["azotel/main"])];
        assert_eq!(ask(&other, GET, Some("main")), Err(Code::PermissionDenied));
        assert_eq!(ask(&other, GET, None), Err(Code::PermissionDenied));
    }

    #[test]
    fn each_pattern_covers_what_it_says() {
        let covered = [
            ("*", true, true),
            ("reads", true, false),
            ("ispbridge.aex.v1.*", true, true),
            ("ispbridge.aex.*", true, true),
            ("ispbridge.aexx.v1.*", false, false),
            ("ispbridge.aex.v1.CustomerService/*", true, true),
            ("ispbridge.aex.v1.Customer/*", false, false),
            (ADD, false, true),
        ];
        for (pattern, get, add) in covered {
            let grants = [grant(&[pattern], &["aex/main"])];
            assert_eq!(ask(&grants, GET, Some("main")).is_ok(), get, "{pattern}");
            assert_eq!(ask(&grants, ADD, Some("main")).is_ok(), add, "{pattern}");
        }
    }

    #[test]
    fn the_account_must_stand_in_the_same_grant_as_the_method() {
        let grants = [grant(&["reads"], &["aex/live"]), grant(&["*"], &["aex/test"])];
        assert_eq!(ask(&grants, GET, Some("live")), Ok("live".to_owned()));
        assert_eq!(ask(&grants, ADD, Some("test")), Ok("test".to_owned()));
        assert_eq!(ask(&grants, ADD, Some("live")), Err(Code::PermissionDenied));
        assert_eq!(ask(&grants, ADD, None), Ok("test".to_owned()));
        assert_eq!(ask(&grants, GET, None), Err(Code::InvalidArgument));
    }

    #[test]
    fn an_account_may_be_left_out_only_if_it_is_the_only_one() {
        let one = [grant(&["*"], &["aex/main", "azotel/other"]), grant(&["reads"], &["aex/main"])];
        assert_eq!(ask(&one, GET, None), Ok("main".to_owned()));
        let every = [grant(&["*"], &["aex/*"])];
        assert_eq!(ask(&every, GET, None), Err(Code::InvalidArgument));
        assert_eq!(ask(&every, GET, Some("any")), Ok("any".to_owned()));
        for bad in ["", "../x", "a/b", "a b", &"a".repeat(64)] {
            assert_eq!(ask(&every, GET, Some(bad)), Err(Code::InvalidArgument), "{bad}");
        }
    }

    #[test]
    fn a_grant_of_reads_waits_until_the_methods_are_known() {
        let path = format!("/{GET}");
        let method = MethodName::parse(&path).unwrap();
        let call = Call { method, provider: "aex", nature: None };
        let reads = [grant(&["reads"], &["aex/main"])];
        let code = decide(&reads, &call, None).unwrap_err().code();
        assert_eq!(code, Code::Unavailable);
        let other = [grant(&["reads"], &["azotel/main"])];
        let code = decide(&other, &call, None).unwrap_err().code();
        assert_eq!(code, Code::PermissionDenied);
    }
}
