//! `keys add`, `revoke` and `list`: the file of keys, which a running gateway reads again by itself.

use std::fmt::Write;

use jiff::{SpanRound, Timestamp, Unit};

use super::words::Words;
use crate::{
    identity::{
        key::{KeyHash, new_key},
        key_file::{KeyEntry, KeyFile, KeyGrant, beside},
        marks,
    },
    policy::pattern::is_label,
};

/// Makes a key and prints it, this one time.
pub(super) fn add(words: &[&str]) -> Result<String, String> {
    let words = Words::parse(words, &["grant", "group", "file", "config"])?;
    let [name] = words.names[..] else {
        return Err("name one principal: keys add NAME".to_owned());
    };
    if !is_label(name) {
        return Err(format!("{name:?} is no name: 1 to 63 lower-case letters, digits, -, _ or ."));
    }
    let key = new_key()?;
    let hash = KeyHash::of(&key);
    let grants = words.all("grant").map(|text| KeyGrant::try_from(text.to_owned())).collect::<Result<_, _>>()?;
    let entry = KeyEntry {
        name: name.to_owned(),
        hash,
        created: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        groups: words.all("group").map(str::to_owned).collect(),
        grants,
    };
    KeyFile::change(&words.key_file()?, |file| {
        file.keys.push(entry);
        Ok(())
    })?;
    Ok(format!("key: {key}\nid:  {}", hash.id()))
}

/// Takes away one key by its id, or all of a name.
pub(super) fn revoke(words: &[&str]) -> Result<String, String> {
    let words = Words::parse(words, &["file", "config"])?;
    let [which] = words.names[..] else {
        return Err("name one key by its id, or all of a principal by its name: keys revoke ID|NAME".to_owned());
    };
    let path = words.key_file()?;
    let gone = KeyFile::change(&path, |file| {
        let before = file.keys.len();
        file.keys.retain(|key| key.name != which && key.hash.id() != which);
        match before - file.keys.len() {
            0 => Err(format!("{} has no key {which:?}", path.display())),
            gone => Ok(gone),
        }
    })?;
    Ok(format!("{gone} revoked"))
}

/// Shows the keys, and when each was used last.
pub(super) fn list(words: &[&str]) -> Result<String, String> {
    let words = Words::parse(words, &["file", "config"])?;
    let path = words.key_file()?;
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
