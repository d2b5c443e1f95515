//! The configuration file of a process: read, overridden from the environment, split between chassis and program.

mod check;
pub(crate) mod document;
pub(crate) mod findings;
mod form;
pub(crate) mod lines;
mod nesting;
mod standard;
mod strict;
mod words;

use std::{collections::BTreeMap, path::Path};

use reference::said_of_file;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use self::{document::Document, findings::Findings};
use crate::{
    Error, Program, Settings,
    error::{Mistake, Mistakes},
};

/// Beginning of the variables that override a key: `ISPBRIDGE__SERVER__LISTEN` is `server.listen`.
const PREFIX: &str = "ISPBRIDGE__";

/// Reads TOML that somebody wrote, as the configuration is read: nothing that nests too deep.
///
/// # Errors
/// The line, from 1, and what is wrong with it.
pub fn parse_toml(text: &str) -> Result<Table, (usize, String)> {
    let first = |errors: Vec<_>| errors.into_iter().next();
    nesting::parse(text).map_err(|errors| {
        first(errors)
            .map_or((1, "cannot be read".to_owned()), |error| (line_of(text, &error), error.message().to_owned()))
    })
}

fn line_of(text: &str, error: &toml::de::Error) -> usize {
    lines::line(text, error.span().map_or(0, |span| span.start))
}

/// The chassis' own sections.
const SECTIONS: [&str; 7] = ["server", "admin", "telemetry", "log", "audit", "callers", "consul"];

/// Reads a file; the text of a broken one is not repeated, it might hold what it should not.
pub(crate) fn read(path: &Path) -> Result<Document, Error> {
    let name = path.display().to_string();
    let wrong = |mistakes| Error::Config(Mistakes(mistakes));
    let text = reference::read_text(path)
        .map_err(|error| wrong(vec![Mistake::at(&name, format!("cannot be read: {}", said_of_file(&error)))]))?;
    match nesting::parse(&text) {
        Ok(table) => Ok(Document::of_file(path, text, table)),
        Err(errors) => Err(wrong(by_line(&name, &text, &errors))),
    }
}

/// The first error of each line: one that is not closed makes others of what follows.
fn by_line(name: &str, text: &str, errors: &[toml::de::Error]) -> Vec<Mistake> {
    let mut lines = BTreeMap::new();
    for error in errors {
        lines.entry(line_of(text, error)).or_insert_with(|| error.message());
    }
    lines.into_iter().map(|(line, message)| Mistake::at(format!("{name}:{line}"), message)).collect()
}

/// Applies variables `ISPBRIDGE__A__B=value` to the scalars of a configuration.
///
/// A part of a name is a key (upper or lower case, `_` also for `-`) or the index into a list. The value is read as TOML
/// and, if it is none, as a text. Refused are variables that lead through something that is not a table or a list.
fn apply_overrides(document: &mut Document, variables: &[(String, String)]) -> Result<(), Error> {
    let mut astray = Vec::new();
    for (name, text) in variables {
        let Some(path) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let parts: Vec<&str> = path.split("__").collect();
        match set(document.table_mut(), &parts, scalar(text)) {
            Some(key) => document.set(key, name),
            None => astray.push(Mistake::at(name, "must name a key that a value can stand at")),
        }
    }
    if astray.is_empty() { Ok(()) } else { Err(Error::Config(Mistakes(astray))) }
}

/// Whether a variable of this name can mean anything to [`complete`].
pub(crate) fn is_read(name: &str) -> bool {
    name.starts_with(PREFIX) || standard::is_read(name)
}

/// Applies what variables say to what a file says, and lets files be named relative to it.
pub(crate) fn complete(document: &mut Document, variables: &[(String, String)]) -> Result<(), Error> {
    standard::apply(document, variables)?;
    apply_overrides(document, variables)?;
    document.resolve_files();
    Ok(())
}

/// Takes the chassis' sections out of a configuration and checks what one section alone cannot know.
pub(crate) fn take_settings<P: Program>(table: &mut Table, findings: &mut Findings) -> Settings {
    let settings = Settings {
        server: section(table, "server", findings),
        admin: section(table, "admin", findings),
        telemetry: section(table, "telemetry", findings),
        log: section(table, "log", findings),
        audit: section(table, "audit", findings),
        callers: section(table, "callers", findings),
        consul: table.contains_key("consul").then(|| section(table, "consul", findings)),
    };
    check::callers::<P>(&settings, findings);
    check::limits(&settings, findings);
    settings
}

/// Reads one entry of a file beside the configuration, as the configuration is read.
///
/// # Errors
/// All that is wrong with it, by the key at which it stands.
pub fn read_entry<T: DeserializeOwned>(key: &str, value: Value) -> Result<T, Mistakes> {
    let mut findings = Findings::default();
    let entry = form::read(key, &[], value, &mut findings);
    match (entry, findings.mistakes.is_empty()) {
        (Some(entry), true) => Ok(entry),
        _ => Err(Mistakes(findings.mistakes)),
    }
}

/// Reads what is left as the program's own configuration; nothing if it cannot be read at all.
pub(crate) fn program<T: DeserializeOwned>(table: Table, findings: &mut Findings) -> Option<T> {
    form::read("", &SECTIONS, Value::Table(table), findings)
}

fn section<T: DeserializeOwned + Default>(table: &mut Table, name: &str, findings: &mut Findings) -> T {
    let value = table.remove(name);
    value.and_then(|value| form::read(name, &[], value, findings)).unwrap_or_default()
}

fn scalar(text: &str) -> Value {
    nesting::parse(&format!("value = {text}"))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Sets a value and gives the key at which it now stands.
fn set(table: &mut Table, path: &[&str], value: Value) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let key = existing_key(table, first).unwrap_or_else(|| first.to_lowercase());
    if key.is_empty() {
        return None;
    }
    if rest.is_empty() {
        table.insert(key.clone(), value);
        return Some(key);
    }
    let inner = table.entry(key.as_str()).or_insert_with(|| Value::Table(Table::new()));
    Some(key + &descend(inner, rest, value)?)
}

fn descend(at: &mut Value, path: &[&str], value: Value) -> Option<String> {
    match at {
        Value::Table(table) => Some(format!(".{}", set(table, path, value)?)),
        Value::Array(items) => {
            let (first, rest) = path.split_first()?;
            let index = first.parse::<usize>().ok()?;
            let item = items.get_mut(index)?;
            let below = match rest.is_empty() {
                true => {
                    *item = value;
                    String::new()
                }
                false => descend(item, rest, value)?,
            };
            Some(format!("[{index}]{below}"))
        }
        _ => None,
    }
}

fn existing_key(table: &Table, part: &str) -> Option<String> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    table.keys().find(|key| plain(key) == plain(part)).cloned()
}

#[cfg(test)]
mod tests;
