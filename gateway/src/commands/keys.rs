//! `keys add`, `revoke` and `list`: edit the key file, which a running gateway reloads.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use chassis::output;
use clap::Args;
use jiff::{Span, SpanRound, Timestamp, Unit, tz::TimeZone};
use toml::Value;

use super::{site::CommandConfig, taken};
use crate::{
    atomic_file::beside,
    config::{
        key_entry::{Expiry, KeyEntry, KeyGrant},
        key_file::{KeyFile, called},
        pattern::is_label,
    },
    identity::last_used,
    key::{KeyHash, new_key},
};

/// Where the keys are.
#[derive(Debug, Args)]
pub(super) struct KeysAt {
    /// The file of keys [default: the one that the configuration names]
    #[arg(long, value_name = "KEYS")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The principal that the key is for.
    #[arg(value_parser = label)]
    name: String,
    /// What who has the key may do, e.g. reads@aex/main; may come again.
    #[arg(long = "grant", value_name = "METHODS@ACCOUNTS", value_parser = grant)]
    grants: Vec<KeyGrant>,
    /// A group that who has the key is in; may come again.
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    /// When the key ends: after a time (90d, 12h) or at one (2027-01-01, 2027-01-01T12:00:00Z) [default: never]
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    expires: Option<Expiry>,
    #[command(flatten)]
    at: KeysAt,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The id of one key, or the name of a principal, all of whose keys go.
    #[arg(value_name = "ID|NAME")]
    which: String,
    #[command(flatten)]
    at: KeysAt,
}

fn label(text: &str) -> Result<String, &'static str> {
    is_label(text).then(|| text.to_owned()).ok_or("a name is 1 to 63 lower-case letters, digits, -, _ or .")
}

fn grant(text: &str) -> Result<KeyGrant, String> {
    KeyGrant::try_from(text.to_owned())
}

fn expiry(text: &str) -> Result<Expiry, String> {
    let now = Timestamp::now();
    let after = |span: Span| now.to_zoned(TimeZone::UTC).checked_add(span).map(|end| Expiry(end.timestamp()));
    let expiry = match text.parse().and_then(after) {
        Ok(expiry) => expiry,
        Err(_) => Expiry::parse(text).map_err(|form| format!("{form}, or a time from now: 90d, 12h"))?,
    };
    if expiry.is_over(now) { Err("must be in the future".to_owned()) } else { Ok(expiry) }
}

impl KeysAt {
    /// The key file, and the configuration if there is one.
    fn find(&self, config: Option<&Path>) -> Result<(PathBuf, Option<CommandConfig>), String> {
        let site = if self.file.is_none() || config.is_some() { Some(CommandConfig::read(config)?) } else { None };
        let named = site.as_ref().and_then(|site| site.keys.as_ref()).map(|keys| keys.file.clone());
        let file = self.file.clone().or(named);
        let file = file.ok_or("name the file with --file, or a configuration with [keys] file")?;
        Ok((file, site))
    }
}

/// Makes a key and prints it, this one time.
pub(super) fn add(add: Add, config: Option<&Path>) -> ExitCode {
    match added(add, config) {
        Ok((key, id, file, site)) => {
            // Printed before the wait: the key is stored nowhere, and the wait may be interrupted.
            output::answer(&format!("key: {key}\nid:  {id}"), 0);
            report(taken::wait(&file, site.as_ref(), Some(&id)))
        }
        Err(error) => output::complain(&error, 64),
    }
}

fn added(
    Add { name, grants, groups, expires, at }: Add,
    config: Option<&Path>,
) -> Result<(String, String, PathBuf, Option<CommandConfig>), String> {
    let (file, site) = at.find(config)?;
    let key = new_key()?;
    let hash = KeyHash::of(&key);
    let created = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let entry = KeyEntry { name, hash, created, expires, groups, grants };
    site.iter().try_for_each(|site| site.check(&entry))?;
    let entry = Value::try_from(entry).map_err(|error| error.to_string())?;
    KeyFile::change(&file, |keys| {
        keys.push(entry);
        Ok(())
    })?;
    Ok((key, hash.id(), file, site))
}

/// Takes away one key by its id, or all of a name.
pub(super) fn revoke(Revoke { which, at }: &Revoke, config: Option<&Path>) -> ExitCode {
    match revoked(which, at, config) {
        Ok((gone, file, site)) => {
            output::answer(&format!("{gone} revoked"), 0);
            report(taken::wait(&file, site.as_ref(), None))
        }
        Err(error) => output::complain(&error, 64),
    }
}

fn revoked(which: &str, at: &KeysAt, config: Option<&Path>) -> Result<(usize, PathBuf, Option<CommandConfig>), String> {
    let (file, site) = at.find(config)?;
    let gone = KeyFile::change(&file, |keys| {
        let before = keys.len();
        keys.retain(|key| {
            let (id, name) = called(key);
            name != Some(which) && id.as_deref() != Some(which)
        });
        match before - keys.len() {
            0 => Err(format!("{} has no key {which:?}", file.display())),
            gone => Ok(gone),
        }
    })?;
    Ok((gone, file, site))
}

/// Reports the state of the gateway on standard error, beside the answer.
fn report(taken: Result<String, String>) -> ExitCode {
    match taken {
        Ok(text) => output::complain(&text, 0),
        Err(text) => output::complain(&text, 1),
    }
}

/// Shows the keys, and when each was used last.
pub(super) fn list(at: &KeysAt, config: Option<&Path>) -> Result<String, String> {
    let (path, site) = at.find(config)?;
    let file = KeyFile::read(&path).map_err(|error| error.to_string())?;
    let used = last_used::read(&beside(&path, "used"));
    let mut text = format!("{:8}  {:20}  {:20}  {:20}  {:12}  MAY", "ID", "NAME", "CREATED", "EXPIRES", "LAST USED");
    let mut bad: Vec<String> = file.bad.iter().map(ToString::to_string).collect();
    for entry in &file.entries {
        let key = &entry.key;
        let last = used.get(&key.hash).map_or_else(|| "never".to_owned(), |time| ago(*time));
        let may: Vec<_> = key.grants.iter().map(ToString::to_string).chain(key.groups.iter().cloned()).collect();
        let (id, name, created, expires) = (key.hash.id(), &key.name, &key.created, ends(key.expires));
        // Writing to a text cannot fail.
        let _ = write!(text, "\n{id:8}  {name:20}  {created:20}  {expires:20}  {last:12}  {}", may.join(" "));
        if let Some(Err(problem)) = site.as_ref().map(|site| site.check(key)) {
            bad.push(format!("{}: {problem}", entry.position));
        }
    }
    for bad in bad {
        let _ = write!(text, "\nrefused: {bad}");
    }
    Ok(text)
}

fn ends(expires: Option<Expiry>) -> String {
    match expires {
        Some(expires) if expires.is_over(Timestamp::now()) => "expired".to_owned(),
        Some(expires) => expires.to_string(),
        None => "never".to_owned(),
    }
}

fn ago(time: Timestamp) -> String {
    let rounding = SpanRound::new().largest(Unit::Hour).smallest(Unit::Minute);
    match (Timestamp::now() - time).round(rounding) {
        Ok(span) if span.get_hours() >= 48 => format!("{} days ago", span.get_hours() / 24),
        Ok(span) if span.get_hours() > 0 => format!("{} h ago", span.get_hours()),
        Ok(span) => format!("{} min ago", span.get_minutes().max(0)),
        Err(_) => time.to_string(),
    }
}
