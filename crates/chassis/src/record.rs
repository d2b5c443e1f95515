//! What a process knows of its configuration, for the people who ask its admin port: no value that may be secret.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use serde::Serialize;
use serde_json::{Map, Value as Json};
use toml::{Table, Value};

use crate::{
    Error,
    reload::{self, Fixed},
    source,
};

const BLACK: &str = "REDACTED";
/// Parts of names whose values are not shown, unless they are references.
const SECRET_NAMES: [&str; 6] = ["secret", "password", "passphrase", "token", "key", "credential"];

/// The configuration of a process over time.
#[derive(Debug)]
pub(crate) struct Record(Mutex<State>);

#[derive(Debug)]
struct State {
    /// What may be shown, as JSON; the configuration itself may have thousands of entries and is needed no more.
    shown: Box<str>,
    /// The files that it names.
    files: Vec<PathBuf>,
    /// The sections that stay those of the first configuration.
    fixed: Fixed,
    generation: u64,
    since: SystemTime,
    refused: Option<(SystemTime, String)>,
    needs_restart: Vec<&'static str>,
}

/// What `/config` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    /// 1 at the start, one more with every configuration that was taken.
    generation: u64,
    /// Seconds since 1970.
    taken_at: u64,
    /// Why the last one was not taken, if none was taken since.
    last_error: Option<Refusal>,
    /// Sections that have changed and count only after a restart.
    needs_restart: Vec<&'static str>,
    config: Json,
}

/// How far the configuration of a process has come.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigState {
    /// 1 at the start, one more with every configuration that was taken.
    pub generation: u64,
    /// Seconds since 1970.
    pub taken_at: u64,
    /// Why the last one was not taken, if none was taken since.
    pub last_error: Option<String>,
    /// Sections that have changed and count only after a restart.
    pub needs_restart: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Refusal {
    at: u64,
    error: String,
}

impl Record {
    /// Begins with the configuration of the start.
    pub(crate) fn new(table: &Table) -> Self {
        Self(Mutex::new(State {
            shown: shown(table),
            files: source::files(table),
            fixed: reload::fixed(table),
            generation: 1,
            since: SystemTime::now(),
            refused: None,
            needs_restart: Vec::new(),
        }))
    }

    /// The files that the configuration names.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.with(|state| state.files.clone())
    }

    /// Fixed sections that are not as they were at the start.
    pub(crate) fn changed(&self, now: &Fixed) -> Vec<&'static str> {
        self.with(|state| {
            let pairs = state.fixed.iter().zip(now);
            pairs.filter(|(before, now)| before != now).map(|((section, _), _)| *section).collect()
        })
    }

    /// Notes a configuration that was taken; returns its number.
    pub(crate) fn taken(&self, table: &Table, needs_restart: Vec<&'static str>) -> u64 {
        let (shown, files) = (shown(table), source::files(table));
        self.with(|state| {
            state.generation += 1;
            (state.shown, state.files, state.needs_restart) = (shown, files, needs_restart);
            (state.since, state.refused) = (SystemTime::now(), None);
            state.generation
        })
    }

    /// Notes a configuration that was not taken.
    pub(crate) fn refused(&self, error: &Error) {
        self.with(|state| state.refused = Some((SystemTime::now(), error.to_string())));
    }

    /// How far it has come.
    pub(crate) fn state(&self) -> ConfigState {
        self.with(|state| ConfigState {
            generation: state.generation,
            taken_at: seconds(state.since),
            last_error: state.refused.as_ref().map(|(_, error)| error.clone()),
            needs_restart: state.needs_restart.clone(),
        })
    }

    /// What may be shown.
    pub(crate) fn shown(&self) -> Shown {
        self.with(|state| Shown {
            generation: state.generation,
            taken_at: seconds(state.since),
            last_error: state.refused.as_ref().map(|(at, error)| Refusal { at: seconds(*at), error: error.clone() }),
            needs_restart: state.needs_restart.clone(),
            config: serde_json::from_str(&state.shown).unwrap_or_default(),
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn shown(table: &Table) -> Box<str> {
    table_shown(table).to_string().into()
}

fn table_shown(table: &Table) -> Json {
    let entries = table.iter().map(|(name, value)| (name.clone(), value_shown(name, value)));
    Json::Object(entries.collect::<Map<_, _>>())
}

fn value_shown(name: &str, value: &Value) -> Json {
    match value {
        Value::Table(table) => table_shown(table),
        Value::Array(items) => items.iter().map(|item| value_shown(name, item)).collect(),
        _ if is_secret(name) => Json::from(BLACK),
        Value::String(text) => Json::from(without_login(text)),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Boolean(flag) => Json::from(*flag),
        Value::Datetime(time) => Json::from(time.to_string()),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Without the `user:password@` that a URL may have, and without its query.
fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = path.split_once('?').map_or(path.to_owned(), |(path, _)| format!("{path}?{BLACK}"));
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_shown_and_values_that_may_be_secret_are_not() {
        let table: Table = r#"
            [[accounts]]
            alias = "main"
            url = "https://robot:hunter2@example.org:8443/api?apikey=hunter2"
            password = { file = "/run/secrets/aex" }
            api_keys = ["hunter2"]
            AuthToken = "hunter2"
            retries = 3
        "#
        .parse()
        .unwrap();
        let shown = serde_json::to_string(&Record::new(&table).shown()).unwrap();
        assert!(!shown.contains("hunter2") && !shown.contains("robot"), "{shown}");
        assert!(shown.contains("https://example.org:8443/api?REDACTED"), "{shown}");
        assert!(shown.contains(r#""password":{"file":"/run/secrets/aex"}"#), "{shown}");
        assert!(shown.contains(r#""retries":3"#) && shown.contains(r#""alias":"main""#), "{shown}");
    }

    #[test]
    fn the_last_error_is_shown_until_a_configuration_is_taken() {
        let record = Record::new(&Table::new());
        record.refused(&Error::config("accounts.main.url", "is missing"));
        let shown = serde_json::to_value(record.shown()).unwrap();
        assert_eq!((shown["generation"].as_u64(), shown["config"].as_object().unwrap().len()), (Some(1), 0));
        assert_eq!(shown["last_error"]["error"], "configuration: accounts.main.url: is missing");
        assert_eq!(record.taken(&Table::new(), vec!["server"]), 2);
        let shown = serde_json::to_value(record.shown()).unwrap();
        assert!(shown["last_error"].is_null() && shown["needs_restart"][0] == "server", "{shown}");
    }
}
