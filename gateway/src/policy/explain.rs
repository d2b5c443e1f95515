//! Why a principal may or may not make a call, with the grants that decide it.

use std::{collections::BTreeSet, sync::Arc};

use protocol::method::Idempotency;

use crate::policy::{
    AccessRequest, Grants,
    grant::{Grant, GrantSource},
};

/// What is known of a call before it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// The call; its idempotency is `None` if it is not known whether it reads.
    pub(crate) request: AccessRequest<'a>,
    /// The account, if one is named.
    pub(crate) account: Option<&'a str>,
}

/// The answer to a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Yes, by these.
    May(Vec<GrantSource>),
    /// Yes if the method only reads, by these.
    MayRead(Vec<GrantSource>),
    /// No grant; these cover the method or the account, but not both.
    MayNot(Vec<String>),
    /// No, because the account must be named.
    NameAccount(String),
}

/// Asks the same code that decides about calls.
pub(crate) fn explain(grants: &[Arc<Grant>], question: &Question<'_>) -> Verdict {
    let known = sources(grants, question);
    if !known.is_empty() {
        return verdict(grants, question, known);
    }
    let read =
        Question { request: AccessRequest { idempotency: Some(Idempotency::Read), ..question.request }, ..*question };
    let if_read = if question.request.idempotency.is_none() { sources(grants, &read) } else { Vec::new() };
    if if_read.is_empty() { Verdict::MayNot(near(grants, &read)) } else { Verdict::MayRead(if_read) }
}

fn verdict(grants: &[Arc<Grant>], question: &Question<'_>, sources: Vec<GrantSource>) -> Verdict {
    match Grants::of(grants).decide(&question.request, question.account) {
        Ok(_) => Verdict::May(sources),
        Err(answer) => Verdict::NameAccount(answer.status().message().to_owned()),
    }
}

/// The grants that cover a call with its account, or with any if none is named.
fn sources(grants: &[Arc<Grant>], question: &Question<'_>) -> Vec<GrantSource> {
    let all = Grants::of(grants);
    let covers = |grant: &&Arc<Grant>| {
        question.account.is_none_or(|alias| grant.account(question.request.provider, alias).is_some())
    };
    let found: BTreeSet<GrantSource> =
        all.covering(&question.request).filter(covers).map(|grant| grant.source).collect();
    found.into_iter().collect()
}

fn near(grants: &[Arc<Grant>], question: &Question<'_>) -> Vec<String> {
    let Question { request, account } = question;
    let lines = grants.iter().filter_map(|grant| {
        let method =
            Grants::of([grant]).0.keys().any(|text| super::patterns(request).any(|pattern| pattern == &**text));
        let reached =
            account.map_or(grant.reaches(request.provider), |alias| grant.account(request.provider, alias).is_some());
        match (method, reached) {
            (true, false) => Some(format!("{} covers the method, but not the account", grant.source)),
            (false, true) => Some(format!("{} covers the account, but not the method", grant.source)),
            _ => None,
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use protocol::method::MethodName;

    use super::*;
    use crate::config::pattern::{AccountPattern, MethodPattern};

    fn grant(index: usize, method: &str, account: &str) -> Arc<Grant> {
        let method = MethodPattern::try_from(method.to_owned()).unwrap();
        let account = AccountPattern::try_from(account.to_owned()).unwrap();
        Arc::new(Grant::new(GrantSource::Config(index), &[method], &[account]))
    }

    #[test]
    fn the_answer_names_the_grants() {
        let grants =
            [grant(0, "reads", "aex/main"), grant(1, "ispbridge.aex.v1.*", "aex/test"), grant(2, "*", "azotel/main")];
        let method = MethodName::of("ispbridge.aex.v1.CustomerService/GetCustomer").unwrap();
        let ask = |idempotency, account| {
            let request = AccessRequest { method, provider: "aex", idempotency };
            explain(&grants, &Question { request, account })
        };
        assert_eq!(ask(None, Some("test")), Verdict::May(vec![GrantSource::Config(1)]));
        assert_eq!(ask(None, Some("main")), Verdict::MayRead(vec![GrantSource::Config(0)]));
        assert_eq!(ask(Some(Idempotency::Read), Some("main")), Verdict::May(vec![GrantSource::Config(0)]));
        assert!(matches!(ask(Some(Idempotency::Read), None), Verdict::NameAccount(_)));
        let near = [
            "grants[0] covers the account, but not the method",
            "grants[1] covers the method, but not the account",
            "grants[2] covers the method, but not the account",
        ];
        let Verdict::MayNot(lines) = ask(Some(Idempotency::Write), Some("main")) else { panic!("it may not") };
        assert_eq!(lines, near[1..]);
    }
}
