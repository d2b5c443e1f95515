//! `explain`: may this principal call this method with this account, by which line, and what the answer depends on.

mod contract;
mod credentials;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use config::Document;
use protocol::{method::MethodName, provider};
use serde::Deserialize;

use self::{
    contract::{MethodSource, MethodStatus},
    credentials::Credential,
};
use super::site::CommandConfig;
use crate::{
    config::{GrantConfig, GroupConfig, KeysConfig, NAME, PrincipalConfig},
    policy::{
        AccessRequest,
        explain::{Question, Verdict, explain},
        grant::GrantSource,
    },
};

const EXIT_CODES: &str = "\
Exit codes: 0 it may; 1 it may not; 3 that depends on what cannot be seen from here, and the answer says on what: the groups that
a token claims, which of several credentials is shown, whether the method reads, whether there is such a method at all;
64 the question or the configuration is wrong, e.g. there is no such principal or method.

Methods are known from --contract, else from the gateway that runs with this configuration, by its admin port.";

/// The question: principal, method, account.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ExplainArguments {
    /// Name of a principal, id of a key in the file of keys, ISSUER:SUBJECT of a token, or name in a certificate
    principal: String,
    /// package.Service/Method
    method: String,
    /// Alias of the account, as x-ispbridge-account has it
    account: Option<String>,
    /// A group that the principal's token claims, as ISSUER:VALUE; may come again. Without any, what a token claims is unknown
    #[arg(long = "claim", value_name = "ISSUER:VALUE", value_parser = claim)]
    claims: Vec<(String, String)>,
    /// An encoded FileDescriptorSet (`buf build -o FILE`, `protoc --descriptor_set_out=FILE`) with the methods that there are
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// host:port of the admin port of the gateway that is asked for its methods [default: that of the configuration]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "contract")]
    admin: Option<SocketAddr>,
}

fn claim(text: &str) -> Result<(String, String), &'static str> {
    let (issuer, value) = text.split_once(':').ok_or("must be ISSUER:VALUE")?;
    Ok((issuer.to_owned(), value.to_owned()))
}

/// The part of the configuration that decides about access; no secret is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Policy {
    principals: Vec<PrincipalConfig>,
    keys: Option<KeysConfig>,
    issuers: Vec<IssuerName>,
    groups: Vec<GroupConfig>,
    grants: Vec<GrantConfig>,
}

#[derive(Debug, Deserialize)]
struct IssuerName {
    name: String,
}

/// May, may not, or it depends: the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Explanation {
    May = 0,
    MayNot = 1,
    Depends = 3,
}

/// Answers the question: an exit code and a text. `Err` has a text of what is wrong with the question.
pub(super) fn run(arguments: &ExplainArguments, config: Option<&Path>) -> Result<(u8, String), String> {
    let document = chassis::config_source(NAME, config).read().map_err(|error| error.to_string())?;
    let policy: Policy = document.part().map_err(|error| error.to_string())?;
    let site = CommandConfig::read(config)?;
    let ExplainArguments { principal, method, account, .. } = arguments;
    let name = method.trim_start_matches('/');
    let method = MethodName::of(name).ok_or_else(|| format!("{name:?} is no method: write package.Service/Method"))?;
    let provider =
        provider::of_service(method.service).ok_or_else(|| format!("{name:?} is no method of a provider"))?;
    let account = account.as_deref();
    let account = account.map(|account| account.strip_prefix(&format!("{provider}/")).unwrap_or(account));
    let credentials = policy.credentials(principal, &arguments.claims, &site)?;
    let contract = MethodSource::learn(arguments.contract.as_deref(), arguments.admin.or(site.admin()))?;
    let checked = contract.check(&method, &provider)?;
    let question = Question {
        request: AccessRequest { method, provider: &provider, idempotency: checked.idempotency() },
        account,
    };
    let answers: Vec<_> = credentials.iter().map(|credential| answer(credential, &question, &document)).collect();
    Ok(joined(principal, &question, &credentials, &answers, &checked))
}

/// The answer for one credential, and the grants behind it.
fn answer(credential: &Credential, question: &Question<'_>, document: &Document) -> (Explanation, String) {
    let own = explain(&credential.grants, question);
    let (answer, mut text) = said(&own, document);
    for claim in &credential.unseen {
        let more: Vec<_> = credential.grants.iter().chain(&claim.grants).cloned().collect();
        let verdict = explain(&more, question);
        if said(&verdict, document).0 != answer {
            let (_, by) = said(&verdict, document);
            text = format!("{text}\n  otherwise if the token claims {}{}", claim.value, by.replace('\n', "\n  "));
        }
    }
    (if text.contains("\n  otherwise") { Explanation::Depends } else { answer }, text)
}

/// A verdict as an answer and its text.
fn said(verdict: &Verdict, document: &Document) -> (Explanation, String) {
    let by = |sources: &[GrantSource]| {
        sources.iter().map(|source| format!("\n  by {}", with_line(*source, document))).collect()
    };
    match verdict {
        Verdict::May(sources) => (Explanation::May, by(sources)),
        Verdict::MayRead(sources) => {
            (Explanation::Depends, format!("\n  if the method only reads{}", by(sources).replace('\n', "\n  ")))
        }
        Verdict::NameAccount(why) => (Explanation::MayNot, format!("\n  {why}")),
        Verdict::MayNot(near) => {
            let near: String = near.iter().map(|line| format!("\n  {line}")).collect();
            (Explanation::MayNot, format!("\n  no grant covers it{near}"))
        }
    }
}

/// A grant's source with its line, if that is known.
fn with_line(source: GrantSource, document: &Document) -> String {
    let line = match source {
        GrantSource::Config(index) => document.place(&format!("grants[{index}]")),
        _ => None,
    };
    line.map_or_else(|| source.to_string(), |line| format!("{source} ({line})"))
}

/// One answer out of those for each credential.
fn joined(
    principal: &str,
    question: &Question<'_>,
    credentials: &[Credential],
    answers: &[(Explanation, String)],
    checked: &MethodStatus,
) -> (u8, String) {
    let mut all = answers.iter().map(|(answer, _)| *answer);
    let first = all.next().unwrap_or(Explanation::MayNot);
    let mut answer = if all.all(|other| other == first) { first } else { Explanation::Depends };
    let mut text: String = match answers {
        [(_, text)] => text.clone(),
        _ => credentials.iter().zip(answers).map(|(credential, answer)| of_one(credential, answer)).collect(),
    };
    if let (MethodStatus::Unchecked(why), true) = (checked, answer != Explanation::MayNot) {
        text = format!("{text}\n  if there is such a method: {why}");
        answer = Explanation::Depends;
    }
    let word = match answer {
        Explanation::May => "may call",
        Explanation::MayNot => "may not call",
        Explanation::Depends => "may call, or may not,",
    };
    let Question { request, account } = question;
    let account = account.map_or_else(|| "no account named".to_owned(), |alias| format!("account {alias}"));
    let what = format!("{principal} {word} {} of {} with {account}", request.method.full, request.provider);
    (answer as u8, what + &text)
}

fn of_one(credential: &Credential, (answer, text): &(Explanation, String)) -> String {
    let word = match answer {
        Explanation::May => "it may",
        Explanation::MayNot => "it may not",
        Explanation::Depends => "it may, or may not",
    };
    format!("\n  with {}: {word}{}", credential.name, text.replace('\n', "\n  "))
}
