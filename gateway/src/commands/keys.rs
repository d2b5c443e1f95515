//! `keys add`, `revoke` and `list`: the file of keys, which a running gateway reads again by itself.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use jiff::{SpanRound, Timestamp, Unit};

use crate::{
    Gateway,
    identity::{
        key::{KeyHash, new_key},
        key_file::{KeyEntry, KeyFile, KeyGrant, beside},
        marks,
    },
    policy::pattern::is_label,
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

impl KeysAt {
    fn path(&self, config: Option<&Path>) -> Result<PathBuf, String> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let table = chassis::config_source::<Gateway>(config).read().map_err(|error| error.to_string())?;
        let file = table.get("keys").and_then(|keys| keys.get("file")?.as_str());
        file.map(PathBuf::from)
            .ok_or_else(|| "name the file with --file, or a configuration with [keys] file".to_owned())
    }
}

/// Makes a key and prints it, this one time.
pub(super) fn add(Add { name, grants, groups, at }: Add, config: Option<&Path>) -> Result<String, String> {
    let key = new_key()?;
    let hash = KeyHash::of(&key);
    let created = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let entry = KeyEntry { name, hash, created, groups, grants };
    KeyFile::change(&at.path(config)?, |file| {
        file.keys.push(entry);
        Ok(())
    })?;
    Ok(format!("key: {key}\nid:  {}", hash.id()))
}

/// Takes away one key by its id, or all of a name.
pub(super) fn revoke(Revoke { which, at }: &Revoke, config: Option<&Path>) -> Result<String, String> {
    let path = at.path(config)?;
    let gone = KeyFile::change(&path, |file| {
        let before = file.keys.len();
        file.keys.retain(|key| key.name != *which && key.hash.id() != *which);
        match before - file.keys.len() {
            0 => Err(format!("{} has no key {which:?}", path.display())),
            gone => Ok(gone),
        }
    })?;
    Ok(format!("{gone} revoked"))
}

/// Shows the keys, and when each was used last.
pub(super) fn list(at: &KeysAt, config: Option<&Path>) -> Result<String, String> {
    let path = at.path(config)?;
    let file = KeyFile::read(&path).map_err(|error| error.to_string())?;
    let used = marks::read(&beside(&path, "used"));
    let mut text = format!("{:8}  {:20}  {:20}  {:12}  MAY", "ID", "NAME", "CREATED", "LAST USED");
    for key in &file.keys {
        let last = used.get(&key.hash).map_or_else(|| "never".to_owned(), |time| ago(*time));
        let may: Vec<_> = key.grants.iter().map(ToString::to_string).chain(key.groups.iter().cloned()).collect();
        let (id, name, created) = (key.hash.id(), &key.name, &key.created);
        // Writing to a text cannot fail.
        let _ = write!(text, "\n{id:8}  {name:20}  {created:20}  {last:12}  {}", may.join(" "));
    }
    Ok(text)
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
