//! `explain`: may this principal call this method with this account, and by which line.

use std::{collections::HashMap, fs, sync::Arc};

use prost::Message;
use prost_types::{FileDescriptorSet, method_options::IdempotencyLevel};
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::words::Words;
use crate::{
    Gateway,
    catalog::Nature,
    config::{GrantConfig, GroupConfig, KeysConfig, PrincipalConfig},
    identity::key_file::KeyFile,
    method::{MethodName, provider_segment},
    policy::{
        Call,
        explain::{Question, Verdict, explain},
        grant::{Grant, Place},
        roster::Roster,
    },
};

/// What of the configuration says who may do what; no secret is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Policy {
    principals: Vec<PrincipalConfig>,
    keys: Option<KeysConfig>,
    groups: Vec<GroupConfig>,
    grants: Vec<GrantConfig>,
}

/// Where the grants of the configuration begin, as `file:line`.
struct Lines(HashMap<usize, String>);

/// Answers the question; `Err` has a text of what is wrong with it.
pub(super) fn run(words: &[&str]) -> Result<(bool, String), String> {
    let words = Words::parse(words, &["config", "claim", "descriptors"])?;
    let (principal, method, account) = match words.names[..] {
        [principal, method] => (principal, method, None),
        [principal, method, account] => (principal, method, Some(account)),
        _ => return Err("explain PRINCIPAL METHOD [ACCOUNT] --config FILE".to_owned()),
    };
    let source = chassis::config_source::<Gateway>(words.config());
    let table = source.read().map_err(|error| error.to_string())?;
    let policy: Policy = table.try_into().map_err(|error: toml::de::Error| error.to_string())?;
    let name = method.trim_start_matches('/');
    let method = MethodName::of(name).ok_or_else(|| format!("{name:?} is no method: write package.Service/Method"))?;
    let provider = provider_segment(method.service).map(|segment| segment.replace('_', "-"));
    let provider = provider.ok_or_else(|| format!("{name:?} is no method of a provider"))?;
    let account = account.map(|account| account.strip_prefix(&format!("{provider}/")).unwrap_or(account));
    let nature = words.last("descriptors").map(|file| nature(file, &method)).transpose()?;
    let question = Question { call: Call { method, provider: &provider, nature }, account };
    let grants = policy.grants_of(principal, &words)?;
    let lines = Lines::of(words.config());
    Ok(said(principal, &question, &explain(&grants, &question), &lines))
}

impl Policy {
    fn grants_of(&self, principal: &str, words: &Words<'_>) -> Result<Vec<Arc<Grant>>, String> {
        let roster = Roster::new(&self.groups, &self.grants);
        let file = self.keys.as_ref().map_or_else(|| Ok(KeyFile::default()), |keys| KeyFile::read(&keys.file));
        let file = file.map_err(|error| error.to_string())?;
        let token = self.principals.iter().find(|entry| entry.tokens.iter().any(|token| token == principal));
        let name = token.map_or(principal, |entry| entry.name.as_str());
        let mut grants = roster.principal(name).to_vec();
        let keys = file.keys.iter().enumerate().filter(|(_, key)| key.name == name);
        grants.extend(keys.flat_map(|(index, key)| roster.key(index, key)));
        for claim in words.all("claim") {
            let (issuer, value) = claim.split_once(':').ok_or("--claim is issuer:value")?;
            grants.extend(roster.claims(issuer, &[value.to_owned()]).cloned());
        }
        let known = self.principals.iter().any(|entry| entry.name == name)
            || file.keys.iter().any(|key| key.name == name)
            || name.contains(':');
        known.then_some(grants).ok_or_else(|| format!("there is no principal {principal:?}"))
    }
}

impl Lines {
    fn of(config: Option<&std::path::Path>) -> Self {
        let text = config.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        let file = config.map(|file| file.display().to_string()).unwrap_or_default();
        let Ok(table) = DeTable::parse(&text) else {
            return Self(HashMap::new());
        };
        let Some(DeValue::Array(grants)) = table.get_ref().get("grants").map(|grants| grants.get_ref()) else {
            return Self(HashMap::new());
        };
        let line = |start: usize| text[..start].matches('\n').count() + 1;
        let lines =
            grants.iter().enumerate().map(|(index, grant)| (index, format!("{file}:{}", line(grant.span().start))));
        Self(lines.collect())
    }

    fn place(&self, place: Place) -> String {
        let line = match place {
            Place::Config(index) => self.0.get(&index),
            _ => None,
        };
        line.map_or_else(|| place.to_string(), |line| format!("{place} ({line})"))
    }
}

fn said(principal: &str, question: &Question<'_>, verdict: &Verdict, lines: &Lines) -> (bool, String) {
    let Question { call, account } = question;
    let account = account.map_or_else(|| "no account named".to_owned(), |alias| format!("account {alias}"));
    let what = format!("{} of {} with {account}", call.method.full, call.provider);
    let by =
        |places: &[Place]| places.iter().map(|place| format!("\n  by {}", lines.place(*place))).collect::<String>();
    match verdict {
        Verdict::May(places) => (true, format!("{principal} may call {what}{}", by(places))),
        Verdict::MayRead(places) => {
            (true, format!("{principal} may call {what} if the method only reads{}", by(places)))
        }
        Verdict::NameAccount(why) => (false, format!("{principal} may not call {what}: {why}")),
        Verdict::MayNot(near) => {
            let near = near.iter().map(|line| format!("\n  {line}")).collect::<String>();
            (false, format!("{principal} may not call {what}: no grant covers it{near}"))
        }
    }
}

/// Whether a method only reads, by a `FileDescriptorSet` (`buf build -o FILE`, `protoc --descriptor_set_out=FILE`).
fn nature(file: &str, method: &MethodName<'_>) -> Result<Nature, String> {
    let bytes = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let set = FileDescriptorSet::decode(bytes.as_slice()).map_err(|_| format!("{file} is no FileDescriptorSet"))?;
    let services = set.file.iter().flat_map(|file| file.service.iter().map(move |service| (file.package(), service)));
    let mut methods = services.flat_map(|(package, service)| {
        service.method.iter().map(move |method| (format!("{package}.{}/{}", service.name(), method.name()), method))
    });
    let found = methods.find(|(name, _)| name == method.full).map(|(_, method)| method);
    let found = found.ok_or_else(|| format!("{file} has no method {}", method.full))?;
    let level = found.options.as_ref().map(|options| options.idempotency_level());
    Ok(if level == Some(IdempotencyLevel::NoSideEffects) { Nature::Read } else { Nature::Write })
}
