//! One fixture: a recorded case, and what came of playing it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::Value;
use toml::Table;

use crate::{
    case::{Case, exchange},
    remote, text, upstream,
};

/// The fixture whose exchange comes first.
pub(crate) const LOGIN: &str = "login";

/// A recorded case.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    path: PathBuf,
    case: Case,
    login: Option<(PathBuf, Case)>,
}

/// Whether the recordings are to be written instead of compared.
#[expect(clippy::disallowed_methods, reason = "a switch of the person who runs the tests, no setting of a process")]
pub(crate) fn is_update() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}

/// The file of a fixture.
pub(crate) fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.http"))
}

impl Fixture {
    /// The fixture `name` beside the other fixtures of its provider.
    pub(crate) fn read(folder: &Path, name: &str) -> Result<Self, String> {
        let (path, login) = (file(folder, name), file(folder, LOGIN));
        let case = Case::read(&path)?;
        let login = if login.exists() { Some((login.clone(), Case::read(&login)?)) } else { None };
        Ok(Fixture { path, case, login })
    }

    /// The name of the fixture.
    pub(crate) fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The request that is made.
    pub(crate) fn request(&self, method: &MethodDescriptor) -> Result<DynamicMessage, String> {
        let bytes = self.case.get("request").ok_or("has no section \"request\"")?;
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let message = DynamicMessage::deserialize(method.input(), &mut json).map_err(|error| error.to_string());
        message
            .and_then(|message| json.end().map(|()| message).map_err(|error| error.to_string()))
            .map_err(|error| format!("request: {error}"))
    }

    /// The service's configuration: the given parts, and what this fixture changes in them.
    pub(crate) fn config(&self, parts: &[&str]) -> Result<Table, String> {
        let own = self.case.text("config");
        let mut config = Table::new();
        for part in parts.iter().copied().chain([&*own]) {
            merge(&mut config, part.parse().map_err(|error: toml::de::Error| format!("config: {error}"))?);
        }
        Ok(config)
    }

    /// How long the upstream takes for its first answer.
    pub(crate) fn delay(&self) -> Result<Duration, String> {
        let seconds = self.case.get("delay").map_or("0".to_owned(), |_| self.case.text("delay"));
        seconds.parse().map(Duration::from_secs_f64).map_err(|error| format!("delay: {error}"))
    }

    /// What the upstream answers, in order.
    pub(crate) fn answers(&self) -> Result<Vec<upstream::Answer>, String> {
        let delayed = usize::from(self.login.is_some());
        let answer = |(index, (name, bytes)): (usize, (String, &[u8]))| {
            let bytes = text::playable(bytes).map_err(|error| format!("{name}: {error}"))?;
            Ok(upstream::Answer { bytes, is_delayed: index == delayed })
        };
        self.recorded("received").enumerate().map(answer).collect()
    }

    /// Says what is different from the recordings.
    pub(crate) fn compare(&self, sent: &[Vec<u8>], answer: &remote::Answer) -> Result<(), String> {
        let expected: Vec<_> = self.recorded("sent").collect();
        let mut problems = Vec::new();
        for ((name, recorded), bytes) in expected.iter().zip(sent) {
            problems.extend(text::difference(recorded, bytes).map(|text| format!("{name} {text}")));
        }
        if sent.len() != expected.len() && !(sent.is_empty() && expected.len() == usize::from(self.login.is_some())) {
            problems.push(format!("sent {} requests, {} are recorded", sent.len(), expected.len()));
        }
        problems.extend(self.compare_reply(answer).err());
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }

    /// Says what is different from the recorded reply.
    pub(crate) fn compare_reply(&self, answer: &remote::Answer) -> Result<(), String> {
        let recorded = self.case.get("reply").ok_or("has no section \"reply\"")?;
        let reply = text::difference(recorded, pretty(&answer.json).as_bytes()).map(|text| format!("reply {text}"));
        let mut problems: Vec<String> = reply.into_iter().collect();
        let unreadable = self.case.text("unreadable");
        if unreadable != answer.unreadable {
            problems.push(format!("unreadable fields\n  recorded {unreadable:?}\n  got      {:?}", answer.unreadable));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }

    /// Writes what was sent and what came back.
    pub(crate) fn update(&self, sent: &[Vec<u8>], answer: &remote::Answer) -> Result<(), String> {
        let mut case = self.case.clone();
        let obsolete: Vec<_> = case.exchanges("sent").map(|(name, _)| name).collect();
        obsolete.iter().for_each(|name| case.remove(name));
        let first = match &self.login {
            Some((path, login)) if !self.has_own_login() => {
                let mut login = login.clone();
                if let Some(bytes) = sent.first() {
                    login.set("sent", bytes);
                }
                login.write(path)?;
                1
            }
            _ => 0,
        };
        let number = |index: usize| index + usize::from(self.login.is_none());
        for (index, bytes) in sent.iter().enumerate().skip(first) {
            case.set(&exchange("sent", number(index)), bytes);
        }
        case.set("reply", pretty(&answer.json).as_bytes());
        case.remove("unreadable");
        if !answer.unreadable.is_empty() {
            case.set("unreadable", answer.unreadable.as_bytes());
        }
        case.write(&self.path)
    }

    /// Whether the case answers the login in its own way.
    fn has_own_login(&self) -> bool {
        self.case.get(&exchange("received", 0)).is_some()
    }

    /// One part of all recorded exchanges, the login first.
    fn recorded(&self, part: &str) -> impl Iterator<Item = (String, &[u8])> {
        let login = self.login.as_ref().and_then(|(_, login)| {
            let (case, name) =
                if self.has_own_login() { (&self.case, exchange(part, 0)) } else { (login, exchange(part, 1)) };
            Some((format!("login's {part}"), case.get(&name)?))
        });
        login.into_iter().chain(self.case.exchanges(part))
    }
}

fn merge(into: &mut Table, changes: Table) {
    for (key, change) in changes {
        match (into.get_mut(&key), change) {
            (Some(toml::Value::Table(into)), toml::Value::Table(change)) => merge(into, change),
            (_, change) => drop(into.insert(key, change)),
        }
    }
}

fn pretty(json: &Value) -> String {
    format!("{json:#}")
}
