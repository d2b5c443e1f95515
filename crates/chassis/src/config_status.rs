//! What a process knows of its configuration, for the people who ask its admin port: no value that may be secret.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use config::{Error, Noted};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use toml::{Table, Value};

use crate::restarts::Restarts;

const BLACK: &str = "REDACTED";
/// Parts of names whose values are not shown, unless they are references.
const SECRET_NAMES: [&str; 6] = ["secret", "password", "passphrase", "token", "key", "credential"];

/// The configuration of a process over time.
#[derive(Debug)]
pub(crate) struct ConfigStatus(Mutex<State>);

#[derive(Debug)]
struct State {
    /// What may be shown, as JSON; the configuration itself may have thousands of entries and is needed no more.
    shown: Box<str>,
    /// The files that were read for it, and for the one that was not taken since.
    files: Noted,
    restarts: Restarts,
    /// What stays as it was in the first configuration.
    fixed: Table,
    generation: u64,
    since: SystemTime,
    refused: Option<Refusal>,
    needs_restart: Vec<String>,
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
    needs_restart: Vec<String>,
    /// Files beside the configuration that are read again by themselves.
    sources: Vec<SourceState>,
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
    pub needs_restart: Vec<String>,
    /// Files beside the configuration that are read again by themselves.
    pub sources: Vec<SourceState>,
}

/// What has become of a file source.
#[derive(Clone, Debug, Serialize)]
pub struct SourceState {
    /// Its name.
    pub name: &'static str,
    /// Where it is.
    pub file: Option<PathBuf>,
    /// The SHA-256 hash of what was taken last, to be compared with the file.
    pub sha256: Option<String>,
    /// Seconds since 1970.
    pub taken_at: Option<u64>,
    /// Why the last one was not taken, if none was taken since.
    pub last_error: Option<Refusal>,
    /// What of the last one that was taken does not count.
    pub problems: Vec<String>,
}

/// Why something was not taken.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// Seconds since 1970.
    pub at: u64,
    /// Why, without a secret.
    pub error: String,
}

impl ConfigStatus {
    /// Begins with the configuration of the start.
    pub(crate) fn new(table: &Table, restarts: Restarts) -> Self {
        Self(Mutex::new(State {
            shown: shown(table),
            files: Noted::new(),
            fixed: restarts.fixed(table),
            restarts,
            generation: 1,
            since: SystemTime::now(),
            refused: None,
            needs_restart: Vec::new(),
        }))
    }

    /// The files that a change of the configuration may be due to, with what they held when they were last read or seen.
    pub(crate) fn files(&self) -> Noted {
        self.with(|state| state.files.clone())
    }

    /// Notes the files that were read for a configuration. If it was not taken the old one's still count: it may be put right
    /// by what they say, or by one that was missing.
    pub(crate) fn noted(&self, noted: Noted, is_taken: bool) {
        self.with(|state| {
            if is_taken {
                state.files.clear();
            }
            state.files.extend(noted);
        });
    }

    /// Notes a configuration that was taken; returns its number, and the sections of it that count only after a restart.
    pub(crate) fn taken(&self, table: &Table) -> (u64, Vec<String>) {
        let shown = shown(table);
        self.with(|state| {
            let now = state.restarts.fixed(table);
            let sections = state.fixed.keys().chain(now.keys().filter(|section| !state.fixed.contains_key(*section)));
            let changed = sections.filter(|section| state.fixed.get(*section) != now.get(*section));
            state.needs_restart = changed.cloned().collect();
            state.generation += 1;
            (state.shown, state.since, state.refused) = (shown, SystemTime::now(), None);
            (state.generation, state.needs_restart.clone())
        })
    }

    /// Notes a configuration that was not taken.
    pub(crate) fn refused(&self, error: &Error) {
        self.with(|state| state.refused = Some(Refusal::of(error)));
    }

    /// How far it has come.
    pub(crate) fn state(&self, sources: Vec<SourceState>) -> ConfigState {
        self.with(|state| ConfigState {
            generation: state.generation,
            taken_at: seconds(state.since),
            last_error: state.refused.as_ref().map(|refusal| refusal.error.clone()),
            needs_restart: state.needs_restart.clone(),
            sources,
        })
    }

    /// What may be shown.
    pub(crate) fn shown(&self, sources: Vec<SourceState>) -> Shown {
        self.with(|state| Shown {
            generation: state.generation,
            taken_at: seconds(state.since),
            last_error: state.refused.clone(),
            needs_restart: state.needs_restart.clone(),
            sources,
            config: serde_json::from_str(&state.shown).unwrap_or_default(),
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Refusal {
    /// Notes an error of now.
    pub(crate) fn of(error: &Error) -> Self {
        Self { at: seconds(SystemTime::now()), error: error.to_string() }
    }
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
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
        let shown = serde_json::to_string(&ConfigStatus::new(&table, Restarts::shared()).shown(Vec::new())).unwrap();
        assert!(!shown.contains("hunter2") && !shown.contains("robot"), "{shown}");
        assert!(shown.contains("https://example.org:8443/api?REDACTED"), "{shown}");
        assert!(shown.contains(r#""password":{"file":"/run/secrets/aex"}"#), "{shown}");
        assert!(shown.contains(r#""retries":3"#) && shown.contains(r#""alias":"main""#), "{shown}");
    }

    #[test]
    fn the_last_error_is_shown_until_a_configuration_is_taken() {
        let config_status = ConfigStatus::new(&Table::new(), Restarts::shared());
        config_status.refused(&Error::config("accounts.main.url", "is missing"));
        let shown = serde_json::to_value(config_status.shown(Vec::new())).unwrap();
        assert_eq!((shown["generation"].as_u64(), shown["config"].as_object().unwrap().len()), (Some(1), 0));
        assert_eq!(shown["last_error"]["error"], "configuration: accounts.main.url: is missing");
        let table = "callers.keys = []\nserver = { max_in_flight = 7, tls = {} }\nword = 1".parse().unwrap();
        assert_eq!(config_status.taken(&table), (2, vec!["server".to_owned()]));
        let shown = serde_json::to_value(config_status.shown(Vec::new())).unwrap();
        assert!(shown["last_error"].is_null() && shown["needs_restart"][0] == "server", "{shown}");
        assert_eq!(config_status.taken(&Table::new()), (3, Vec::new()), "it is as it was at the start");
    }
}
