//! The file of keys as a source of its own: a key that is gone from it is refused whatever is wrong with the configuration.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError},
};

use chassis::{Change, FileSource, Process};
use config::Error;
use opentelemetry::KeyValue;
use serde_json::{Map, Value as Json, json};

use crate::{
    config::key_file::KeyFile,
    identity::{Identity, KnownCallers, access::ActiveKey},
};

/// Gauge: API keys in a state.
const KEYS: &str = "ispbridge.gateway.keys";
/// Attribute of ours: `good`, `expired`, or `bad` for an entry of the file that does not count.
const STATE: &str = "ispbridge.state";

/// The key file, and its content when it was last loaded.
#[derive(Debug, Default)]
pub(super) struct KeySource {
    pub(super) file: Option<PathBuf>,
    pub(super) said: Arc<KeyFile>,
    /// Whether the file was ever there; until then it may be missing.
    pub(super) was_there: bool,
}

/// The key file as a source that the chassis watches.
pub(crate) struct KeysOfFile {
    /// Where keys are installed.
    pub(crate) identity: Arc<Identity>,
    /// Its audit log records changes.
    pub(crate) process: Process,
}

/// API keys that came, went or changed.
#[derive(Debug, Default)]
pub(crate) struct KeyChanges {
    before: Map<String, Json>,
    after: Map<String, Json>,
}

impl KeysOfFile {
    /// Loads the file now and whenever it changes, and registers the gauge of keys.
    pub(crate) fn follow(self) -> Result<(), Error> {
        let (process, identity) = (self.process.clone(), Arc::downgrade(&self.identity));
        process
            .meter()
            .u64_observable_gauge(KEYS)
            .with_description("API keys, by state.")
            .with_callback(move |observer| {
                let counts = identity.upgrade().map(|identity| identity.callers.load().count());
                for (state, count) in counts.into_iter().flatten() {
                    observer.observe(count as u64, &[KeyValue::new(STATE, state)]);
                }
            })
            .build();
        process.follow(Arc::new(self))
    }
}

impl FileSource for KeysOfFile {
    fn name(&self) -> &'static str {
        "keys"
    }

    fn file(&self) -> Option<PathBuf> {
        self.identity.key_file()
    }

    fn take(&self) -> Result<(), Error> {
        let changes = self.identity.take_key_file()?;
        let actor = || self.file().map_or_else(String::new, |file| format!("keys.file {}", file.display()));
        changes.write_down(&self.process, actor);
        Ok(())
    }

    fn problems(&self) -> Vec<String> {
        self.identity.key_problems().iter().map(ToString::to_string).collect()
    }
}

impl Identity {
    /// Reads the file of keys and takes what is right of it.
    pub(super) fn take_key_file(&self) -> Result<KeyChanges, Error> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = source.file.clone() else {
            return Ok(KeyChanges::default());
        };
        match KeyFile::read(&file) {
            Err(_) if !source.was_there && !file.exists() => {
                tracing::warn!(file = %file.display(), "there is no file of keys yet; it is taken when it is there");
                return Ok(KeyChanges::default());
            }
            said => source.said = Arc::new(said?),
        }
        source.was_there = true;
        let access = Arc::clone(&self.callers.load().access);
        Ok(self.admit(access, &source.said))
    }
}

impl KeyChanges {
    /// Compares two snapshots.
    pub(super) fn between(before: &KnownCallers, after: &KnownCallers) -> Self {
        Self { before: differing(before, after), after: differing(after, before) }
    }

    /// Tells the audit log, if anything has changed.
    pub(crate) fn write_down(self, process: &Process, actor: impl FnOnce() -> String) {
        if !self.before.is_empty() || !self.after.is_empty() {
            let (before, after) = (self.before.into(), self.after.into());
            process.write_down(Change { kind: "keys", actor: actor(), before, after });
        }
    }
}

/// The keys of a state that another does not have, or has otherwise, by their ids.
fn differing(these: &KnownCallers, others: &KnownCallers) -> Map<String, Json> {
    let differs = |key: &&ActiveKey| others.key(&key.hash).is_none_or(|other| described(other) != described(key));
    these.keys().filter(differs).map(|key| (key.hash.id(), described(key))).collect()
}

fn described(key: &ActiveKey) -> Json {
    let mut said = json!({ "principal": &*key.principal.name, "from": key.from() });
    if let Some(entry) = &key.entry {
        let grants: Vec<_> = entry.key.grants.iter().map(ToString::to_string).collect();
        let more = json!({ "groups": entry.key.groups, "grants": grants, "expires": entry.key.expires });
        said.as_object_mut().into_iter().for_each(|said| said.extend(more.as_object().cloned().unwrap_or_default()));
    }
    said
}
