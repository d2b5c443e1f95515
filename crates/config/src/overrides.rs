//! Variables of the suite's own that override a key of the configuration.

use toml::{Table, Value};

use crate::{
    document::Document,
    error::{Error, Mistake, Mistakes},
    nesting,
};

/// Beginning of the variables that override a key: `ISPBRIDGE__SERVER__LISTEN` is `server.listen`.
const PREFIX: &str = "ISPBRIDGE__";

/// Whether a variable of this name can mean anything to [`apply`].
pub(crate) fn is_read(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Applies variables `ISPBRIDGE__A__B=value` to the scalars of a configuration.
///
/// A part of a name is a key (upper or lower case, `_` also for `-`) or the index into a list. The value is read as TOML
/// and, if it is none, as a text. Refused are variables that lead through something that is not a table or a list.
pub(crate) fn apply(document: &mut Document, variables: &[(String, String)]) -> Result<(), Error> {
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

fn scalar(text: &str) -> Value {
    nesting::parse(&format!("value = {text}"))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Sets a value and gives the key at which it now stands.
pub(crate) fn set(table: &mut Table, path: &[&str], value: Value) -> Option<String> {
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
