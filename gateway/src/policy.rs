//! Authorisation: method x account, refused unless a grant covers it.

pub(crate) mod bindings;
pub(crate) mod explain;
pub(crate) mod grant;

use std::sync::Arc;

use protocol::headers::ACCOUNT;
use protocol::method::Idempotency;
use protocol::method::MethodName;
use rustc_hash::FxHashMap;
use tonic::Code;

use crate::{
    answer::{self, Answer, Outcome},
    config::pattern::{MethodPattern, is_alias},
    policy::grant::{Grant, Only},
};

/// All grants of one principal by method pattern: a decision looks up the name of the method and each of
/// its beginnings, and costs the same however many principals and grants there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants(FxHashMap<Box<str>, Vec<Arc<Grant>>>);

/// What a caller asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccessRequest<'a> {
    /// The method.
    pub(crate) method: MethodName<'a>,
    /// Its provider, e.g. `internet-solutions`.
    pub(crate) provider: &'a str,
    /// Whether it reads or writes; `None` while the provider's services were never seen.
    pub(crate) idempotency: Option<Idempotency>,
}

impl Grants {
    /// Puts grants together; the same one twice does no harm.
    pub(crate) fn of<'a>(grants: impl IntoIterator<Item = &'a Arc<Grant>>) -> Self {
        let mut all = Self::default();
        for grant in grants {
            for pattern in &grant.methods {
                let same = all.0.entry(pattern.text().into()).or_default();
                if !same.iter().any(|known| Arc::ptr_eq(known, grant)) {
                    same.push(Arc::clone(grant));
                }
            }
        }
        all
    }

    /// The grants whose methods cover the call and that reach its provider; one may come more than once.
    pub(crate) fn covering<'a>(&'a self, request: &'a AccessRequest<'_>) -> impl Iterator<Item = &'a Arc<Grant>> {
        let found = patterns(request).filter_map(|pattern| self.0.get(pattern)).flatten();
        found.filter(|grant| grant.reaches(request.provider))
    }

    /// Whether the call may be made with some account.
    pub(crate) fn reach(&self, request: &AccessRequest<'_>) -> bool {
        self.covering(request).next().is_some()
    }

    /// Whether a method of a service that is not described yet may be callable.
    pub(crate) fn may_reach(&self, service: &str, provider: &str) -> bool {
        let beginning = format!("{service}/");
        let covers = |pattern: &str| {
            let is_general = pattern == MethodPattern::All.text() || pattern == MethodPattern::Reads.text();
            // A package, the service or one of its methods.
            is_general
                || pattern.starts_with(&beginning)
                || (pattern.ends_with(['.', '/']) && beginning.starts_with(pattern))
        };
        let mut granted = self.0.iter().filter(|(pattern, _)| covers(pattern)).flat_map(|(_, grants)| grants);
        granted.any(|grant| grant.reaches(provider))
    }

    /// Whether some method of a provider may be called, with this account if one is named.
    pub(crate) fn reach_account(&self, provider: &str, alias: Option<&str>) -> bool {
        let reaches = |grant: &Arc<Grant>| match alias {
            Some(alias) => grant.account(provider, alias).is_some(),
            None => grant.reaches(provider),
        };
        self.0.values().flatten().any(reaches)
    }

    /// Decides whether the call may be made and with which account.
    pub(crate) fn decide(&self, request: &AccessRequest<'_>, account: Option<&str>) -> Result<Arc<str>, Box<Answer>> {
        if !self.reach(request) {
            return Err(self.refusal(request));
        }
        let Some(alias) = account else {
            return self.only_account(request);
        };
        if !is_alias(alias) {
            return Err(bad_account("is not an account alias"));
        }
        let mut granted = self.covering(request).filter_map(|grant| grant.account(request.provider, alias));
        granted.next().ok_or_else(|| self.refusal(request))
    }

    /// A refusal that stays true once the method is known.
    fn refusal(&self, request: &AccessRequest<'_>) -> Box<Answer> {
        let reads = self.0.get(MethodPattern::Reads.text());
        let may_read = reads.is_some_and(|grants| grants.iter().any(|grant| grant.reaches(request.provider)));
        if request.idempotency.is_none() && may_read {
            answer::not_described(request.provider)
        } else {
            denied(request)
        }
    }

    /// The account that is meant when none is named: the only one that is granted.
    fn only_account(&self, request: &AccessRequest<'_>) -> Result<Arc<str>, Box<Answer>> {
        const MORE: &str = "is required: more than one account is granted";
        let mut only: Option<Arc<str>> = None;
        for grant in self.covering(request) {
            match grant.only(request.provider) {
                Only::Any => return Err(bad_account("is required: every account is granted")),
                Only::Several => return Err(bad_account(MORE)),
                Only::One(alias) if only.as_ref().is_some_and(|other| other != alias) => return Err(bad_account(MORE)),
                Only::One(alias) => only = Some(Arc::clone(alias)),
            }
        }
        only.ok_or_else(|| denied(request))
    }
}

/// The patterns that cover a call, as [`MethodPattern::text`] writes them: all but two are beginnings of its name.
fn patterns<'a>(request: &'a AccessRequest<'_>) -> impl Iterator<Item = &'a str> {
    let (full, service) = (request.method.full, request.method.service);
    let packages = service.match_indices('.').map(|(dot, _)| &full[..=dot]);
    let reads = (request.idempotency == Some(Idempotency::Read)).then_some(MethodPattern::Reads.text());
    let own = [full, &full[..=service.len()], MethodPattern::All.text()];
    own.into_iter().chain(reads).chain(packages)
}

fn denied(request: &AccessRequest<'_>) -> Box<Answer> {
    let text = "no grant covers this method with this account";
    Answer::new(Code::PermissionDenied, "NOT_GRANTED", text)
        .with("method", request.method.full)
        .with("provider", request.provider)
        .outcome(Outcome::NotSent)
}

/// The header of the account is wrong or missing.
pub(crate) fn bad_account(what: &str) -> Box<Answer> {
    let text = format!("the header {ACCOUNT} {what}");
    Answer::new(Code::InvalidArgument, "ACCOUNT_REQUIRED", text)
        .violation(ACCOUNT.as_str(), what)
        .with("header", ACCOUNT.as_str())
        .outcome(Outcome::NotSent)
}

#[cfg(test)]
mod tests;
