//! One fixture: the files of a folder, and what came of playing them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::Value;
use toml::Table;

use crate::{remote, text, upstream};

/// The folder whose exchange comes first.
pub(crate) const LOGIN: &str = "login";

/// A folder of recordings.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    folder: PathBuf,
    login: Option<PathBuf>,
}

/// Whether the recordings are to be written instead of compared.
#[expect(clippy::disallowed_methods, reason = "a switch of the person who runs the tests, no setting of a process")]
pub(crate) fn is_update() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}

impl Fixture {
    /// The fixture `name` beside the other fixtures of its provider.
    pub(crate) fn new(parent: &Path, name: &str) -> Self {
        Fixture { folder: parent.join(name), login: Some(parent.join(LOGIN)).filter(|folder| folder.is_dir()) }
    }

    /// The name of the folder.
    pub(crate) fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The request that is made.
    pub(crate) fn request(&self, method: &MethodDescriptor) -> Result<DynamicMessage, String> {
        let bytes = read(&self.folder.join("request.json"))?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let message = DynamicMessage::deserialize(method.input(), &mut json).map_err(|error| error.to_string());
        message
            .and_then(|message| json.end().map(|()| message).map_err(|error| error.to_string()))
            .map_err(|error| format!("request.json: {error}"))
    }

    /// The service's configuration: the given parts, and what this fixture changes in them.
    pub(crate) fn config(&self, parts: &[&str]) -> Result<Table, String> {
        let own = fs::read_to_string(self.folder.join("config.toml")).unwrap_or_default();
        let mut config = Table::new();
        for part in parts.iter().copied().chain([&*own]) {
            merge(&mut config, part.parse().map_err(|error: toml::de::Error| format!("config.toml: {error}"))?);
        }
        Ok(config)
    }

    /// How long the upstream takes for its first answer.
    pub(crate) fn delay(&self) -> Result<Duration, String> {
        let text = fs::read_to_string(self.folder.join("delay")).unwrap_or_else(|_| "0".to_owned());
        text.trim().parse().map(Duration::from_secs_f64).map_err(|error| format!("delay: {error}"))
    }

    /// What the upstream answers, in order.
    pub(crate) fn answers(&self) -> Result<Vec<upstream::Answer>, String> {
        let login = self.login("received");
        let numbered = (1..).map(|number| self.folder.join(file("received", number))).take_while(|path| path.exists());
        let delayed = usize::from(login.is_some());
        let answer = |(index, path): (usize, PathBuf)| {
            let bytes = read(&path).and_then(|bytes| text::playable(&bytes));
            let bytes = bytes.map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(upstream::Answer { bytes, is_delayed: index == delayed })
        };
        login.into_iter().chain(numbered).enumerate().map(answer).collect()
    }

    /// Says what is different from the recordings.
    pub(crate) fn compare(&self, sent: &[Vec<u8>], answer: &remote::Answer) -> Result<(), String> {
        let expected = self.recorded();
        let mut problems = Vec::new();
        for (path, bytes) in expected.iter().zip(sent) {
            problems.extend(self.differs(path, bytes));
        }
        if sent.len() != expected.len() && !(sent.is_empty() && expected.len() == usize::from(self.login.is_some())) {
            problems.push(format!("sent {} requests, {} are recorded", sent.len(), expected.len()));
        }
        problems.extend(self.differs(&self.folder.join("reply.json"), pretty(&answer.json).as_bytes()));
        let unreadable = fs::read_to_string(self.folder.join("unreadable")).unwrap_or_default();
        if unreadable.trim_end() != answer.unreadable {
            problems.push(format!("unreadable fields\n  recorded {unreadable:?}\n  got      {:?}", answer.unreadable));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }

    /// Writes what was sent and what came back.
    pub(crate) fn update(&self, sent: &[Vec<u8>], answer: &remote::Answer) -> Result<(), String> {
        for path in self.recorded().iter().skip(sent.len()).filter(|path| path.starts_with(&self.folder)) {
            fs::remove_file(path).map_err(|error| error.to_string())?;
        }
        for (index, bytes) in sent.iter().enumerate() {
            write(&self.sent(index), bytes)?;
        }
        write(&self.folder.join("reply.json"), pretty(&answer.json).as_bytes())?;
        let unreadable = self.folder.join("unreadable");
        match answer.unreadable.as_str() {
            "" if unreadable.exists() => fs::remove_file(unreadable).map_err(|error| error.to_string()),
            "" => Ok(()),
            paths => write(&unreadable, format!("{paths}\n").as_bytes()),
        }
    }

    /// The file of what is sent in the exchange at `index`, the login counted.
    fn sent(&self, index: usize) -> PathBuf {
        match self.login("sent") {
            Some(login) if index == 0 => login,
            login => self.folder.join(file("sent", index + 1 - usize::from(login.is_some()))),
        }
    }

    /// A file of the exchange that comes first: the fixture's own, if it answers in its own way.
    fn login(&self, stem: &str) -> Option<PathBuf> {
        let login = self.login.as_ref()?;
        let is_own = self.folder.join("received-login.http").exists();
        Some(if is_own { self.folder.join(format!("{stem}-login.http")) } else { login.join(file(stem, 1)) })
    }

    fn recorded(&self) -> Vec<PathBuf> {
        (0..).map(|index| self.sent(index)).take_while(|path| path.exists()).collect()
    }

    fn differs(&self, path: &Path, got: &[u8]) -> Option<String> {
        let name = path.strip_prefix(self.folder.parent().unwrap_or(&self.folder)).unwrap_or(path).display();
        match read(path) {
            Ok(recorded) => text::difference(&recorded, got).map(|text| format!("{name} {text}")),
            Err(error) => Some(format!("{name}: {error}")),
        }
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

fn file(stem: &str, number: usize) -> String {
    if number == 1 { format!("{stem}.http") } else { format!("{stem}-{number}.http") }
}

fn pretty(json: &Value) -> String {
    format!("{json:#}\n")
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| error.to_string())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
