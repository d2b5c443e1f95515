//! `explain`: may this principal call this method with this account, and by which line.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use prost::Message;
use prost_types::{FileDescriptorSet, method_options::IdempotencyLevel};
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

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

/// Who, what, with which account.
#[derive(Debug, Args)]
#[command(after_help = "Ends with 0 if the principal may, with 1 if it may not.")]
pub(super) struct Arguments {
    /// Name of a principal, of a key in the file of keys, or ISSUER:SUBJECT of a token.
    principal: String,
    /// package.Service/Method
    method: String,
    /// Alias of the account, as x-ispbridge-account has it.
    account: Option<String>,
    /// A group that the principal's token claims, as ISSUER:VALUE; may come again.
    #[arg(long = "claim", value_name = "ISSUER:VALUE", value_parser = claim)]
    claims: Vec<(String, String)>,
    /// An encoded FileDescriptorSet that says whether the method only reads.
    #[arg(long, value_name = "FILE")]
    descriptors: Option<PathBuf>,
}

fn claim(text: &str) -> Result<(String, String), &'static str> {
    let (issuer, value) = text.split_once(':').ok_or("write ISSUER:VALUE")?;
    Ok((issuer.to_owned(), value.to_owned()))
}

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
pub(super) fn run(arguments: &Arguments, config: Option<&Path>) -> Result<(bool, String), String> {
    let table = chassis::config_source::<Gateway>(config).read().map_err(|error| error.to_string())?;
    let policy: Policy = table.try_into().map_err(|error: toml::de::Error| error.to_string())?;
    let Arguments { principal, method, account, .. } = arguments;
    let name = method.trim_start_matches('/');
    let method = MethodName::of(name).ok_or_else(|| format!("{name:?} is no method: write package.Service/Method"))?;
    let provider = provider_segment(method.service).map(|segment| segment.replace('_', "-"));
    let provider = provider.ok_or_else(|| format!("{name:?} is no method of a provider"))?;
    let account = account.as_deref();
    let account = account.map(|account| account.strip_prefix(&format!("{provider}/")).unwrap_or(account));
    let nature = arguments.descriptors.as_deref().map(|file| nature(file, &method)).transpose()?;
    let question = Question { call: Call { method, provider: &provider, nature }, account };
    let grants = policy.grants_of(arguments)?;
    let lines = Lines::of(config);
    Ok(said(principal, &question, &explain(&grants, &question), &lines))
}

impl Policy {
    fn grants_of(&self, Arguments { principal, claims, .. }: &Arguments) -> Result<Vec<Arc<Grant>>, String> {
        let roster = Roster::new(&self.groups, &self.grants);
        let file = self.keys.as_ref().map_or_else(|| Ok(KeyFile::default()), |keys| KeyFile::read_if_there(&keys.file));
        let file = file.map_err(|error| error.to_string())?;
        let token = self.principals.iter().find(|entry| entry.tokens.contains(principal));
        let name = token.map_or(principal.as_str(), |entry| entry.name.as_str());
        let mut grants = roster.principal(name).to_vec();
        let keys = file.entries.iter().filter(|entry| entry.key.name == name && entry.key.is_good());
        grants.extend(keys.flat_map(|entry| roster.key(entry.place.index, &entry.key)));
        for (issuer, value) in claims {
            grants.extend(roster.claims(issuer, std::slice::from_ref(value)).cloned());
        }
        let known = self.principals.iter().any(|entry| entry.name == name)
            || file.entries.iter().any(|entry| entry.key.name == name)
            || name.contains(':');
        known.then_some(grants).ok_or_else(|| format!("there is no principal {principal:?}"))
    }
}

impl Lines {
    fn of(config: Option<&Path>) -> Self {
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
fn nature(file: &Path, method: &MethodName<'_>) -> Result<Nature, String> {
    let bytes = fs::read(file);
    let file = file.display();
    let bytes = bytes.map_err(|error| format!("{file}: {error}"))?;
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
