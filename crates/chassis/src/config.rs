//! The configuration file of a process: read, overridden from the environment, split between chassis and program.

mod nesting;
mod standard;

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{CallersMode, ConsulSettings, Error, Program, Settings, admin, globals};

/// Beginning of the variables that override a key: `ISPBRIDGE__SERVER__LISTEN` is `server.listen`.
const PREFIX: &str = "ISPBRIDGE__";

/// Reads TOML that somebody wrote, as the configuration is read: nothing that nests too deep.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse_toml(text: &str) -> Result<Table, toml::de::Error> {
    nesting::parse(text)
}

/// Reads a file; the text of a broken one is not repeated, it might hold what it should not.
pub(crate) fn read(path: &Path) -> Result<Table, Error> {
    let name = path.display().to_string();
    let text = reference::read_text(path)
        .map_err(|error| Error::config(&name, format!("cannot be read: {}", error.kind())))?;
    nesting::parse(&text).map_err(|error| {
        let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(""));
        Error::config(format!("{name}:{}", before.lines().count().max(1)), error.message())
    })
}

/// Applies variables `ISPBRIDGE__A__B=value` to the scalars of a configuration.
///
/// A part of a name is a key (upper or lower case, `_` also for `-`) or the index into a list. The value is read as TOML
/// and, if it is none, as a text.
///
/// # Errors
/// A variable that leads through something that is not a table or a list.
pub fn apply_overrides(table: &mut Table, variables: impl IntoIterator<Item = (String, String)>) -> Result<(), Error> {
    for (name, text) in variables {
        let Some(path) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let parts: Vec<&str> = path.split("__").collect();
        set(table, &parts, scalar(&text))
            .ok_or_else(|| Error::config(&name, "names no key that a value can stand at"))?;
    }
    Ok(())
}

/// Whether a variable of this name can mean anything to [`apply_overrides`] or [`apply_standard`].
pub(crate) fn is_read(name: &str) -> bool {
    name.starts_with(PREFIX) || standard::is_read(name)
}

/// Applies the variables of the OpenTelemetry specification, and Consul's for its agent.
pub(crate) fn apply_standard(table: &mut Table, variables: &[(String, String)]) -> Result<(), Error> {
    standard::apply(table, variables)
}

/// Takes the chassis' sections out of a configuration and checks what one section alone cannot know.
pub(crate) fn take_settings<P: Program>(table: &mut Table) -> Result<Settings, Error> {
    let settings = Settings {
        server: section(table, "server")?,
        admin: section(table, "admin")?,
        telemetry: section(table, "telemetry")?,
        log: section(table, "log")?,
        audit: section(table, "audit")?,
        callers: section(table, "callers")?,
        consul: table.contains_key("consul").then(|| section(table, "consul")).transpose()?,
    };
    check::<P>(&settings)?;
    Ok(settings)
}

/// Reads what is left as the program's own configuration.
pub(crate) fn program<T: DeserializeOwned>(table: Table) -> Result<T, Error> {
    table.try_into().map_err(|error| named("", &error))
}

fn check<P: Program>(settings: &Settings) -> Result<(), Error> {
    let callers = &settings.callers;
    if P::AUTHENTICATES_CALLERS {
        return match callers.keys.is_empty() && callers.mode == CallersMode::Gateway {
            true => limits(settings),
            false => Err(Error::config("callers", format!("{} authenticates callers itself", P::NAME))),
        };
    }
    match callers.mode {
        CallersMode::Open if !settings.server.listen.ip().is_loopback() => {
            Err(Error::config("callers.mode", "\"open\" is allowed only if server.listen is a loopback address"))
        }
        CallersMode::Gateway if callers.keys.is_empty() => {
            Err(Error::config("callers.keys", "mode \"gateway\" needs the key that the gateway signs with"))
        }
        _ => limits(settings),
    }
}

fn limits(settings: &Settings) -> Result<(), Error> {
    if settings.server.max_in_flight == 0 {
        return Err(Error::config("server.max_in_flight", "is at least 1"));
    }
    admin::check(&settings.admin)?;
    settings.consul.as_ref().map_or(Ok(()), ConsulSettings::check)?;
    if settings.server.reply_memory_bytes == 0 {
        return Err(Error::config("server.reply_memory_bytes", "is at least 1"));
    }
    if settings.audit.max_bytes < 1024 {
        return Err(Error::config("audit.max_bytes", "is at least 1024"));
    }
    globals::check(&settings.log)?;
    settings.telemetry.check()
}

fn section<T: DeserializeOwned + Default>(table: &mut Table, name: &str) -> Result<T, Error> {
    match table.remove(name) {
        None => Ok(T::default()),
        Some(value) => value.try_into().map_err(|error| named(name, &error)),
    }
}

/// Finds the key in the texts of toml and serde: the last line `in a.b`, and the name of an unknown or missing field.
fn named(section: &str, error: &toml::de::Error) -> Error {
    let full = error.to_string();
    let inner = full.lines().last().and_then(|line| line.strip_prefix("in `")?.strip_suffix('`'));
    let field = ["unknown field `", "missing field `"]
        .iter()
        .find_map(|start| error.message().strip_prefix(start)?.split('`').next());
    let parts: Vec<&str> =
        [Some(section), inner, field].into_iter().flatten().filter(|part| !part.is_empty()).collect();
    Error::config(if parts.is_empty() { "(file)".to_owned() } else { parts.join(".") }, without_values(error.message()))
}

/// Cuts the value out of serde's `invalid type: string "...", expected ...`: it may be a secret at the wrong place.
fn without_values(message: &str) -> String {
    match (message.starts_with("invalid "), message.rsplit_once(", expected ")) {
        (true, Some((_, expected))) => format!("expected {expected}"),
        _ => message.to_owned(),
    }
}

fn scalar(text: &str) -> Value {
    nesting::parse(&format!("value = {text}"))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn set(table: &mut Table, path: &[&str], value: Value) -> Option<()> {
    let (first, rest) = path.split_first()?;
    let key = existing_key(table, first).unwrap_or_else(|| first.to_lowercase());
    if key.is_empty() {
        return None;
    }
    if rest.is_empty() {
        table.insert(key, value);
        return Some(());
    }
    descend(table.entry(key).or_insert_with(|| Value::Table(Table::new())), rest, value)
}

fn descend(at: &mut Value, path: &[&str], value: Value) -> Option<()> {
    match at {
        Value::Table(table) => set(table, path, value),
        Value::Array(items) => {
            let (first, rest) = path.split_first()?;
            let item = items.get_mut(first.parse::<usize>().ok()?)?;
            if rest.is_empty() {
                *item = value;
                return Some(());
            }
            descend(item, rest, value)
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
