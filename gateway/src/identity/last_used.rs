//! When each API key was last used: a flag on the call path, and a file that is written once a minute.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use serving::Draining;
use tokio::time::sleep;

use crate::{
    atomic_file::{beside, replace},
    key::KeyHash,
};

/// How often flags become times; so does every look at the status page.
const LOOK: Duration = Duration::from_secs(10);
/// Times between two writes of the file.
const LOOKS_PER_WRITE: u32 = 6;

/// The use of one key.
#[derive(Debug, Default)]
pub(crate) struct LastUsed {
    used: AtomicBool,
    /// Seconds since 1970; 0 is never.
    last: AtomicI64,
}

/// The use of all keys; it outlives a reload.
#[derive(Debug, Default)]
pub(crate) struct LastUses {
    by_key: Mutex<HashMap<KeyHash, Arc<LastUsed>>>,
    /// Whether a key was seen to be used since the file was written.
    news: AtomicBool,
    /// Where the use of keys is written to, if there is a file of keys.
    file: Mutex<Option<PathBuf>>,
}

impl LastUsed {
    /// Notes a use. The flag is most often set already, and what is only read stays in every core's cache.
    pub(crate) fn set(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// When the key was last used, as of the last [`LastUses::look`].
    pub(crate) fn last(&self) -> Option<Timestamp> {
        let last = self.last.load(Ordering::Relaxed);
        Timestamp::from_second(last).ok().filter(|_| last > 0)
    }
}

impl LastUses {
    /// The mark of a key.
    pub(crate) fn of(&self, key: &KeyHash) -> Arc<LastUsed> {
        Arc::clone(lock(&self.by_key).entry(*key).or_default())
    }

    /// Writes beside this key file from now on, and reads what is there already.
    pub(crate) fn persist_beside(&self, keys: Option<&Path>) {
        let file = keys.map(|keys| beside(keys, "used"));
        if *lock(&self.file) == file {
            return;
        }
        for (key, last) in file.as_deref().map(read).unwrap_or_default() {
            self.of(&key).last.fetch_max(last.as_second(), Ordering::Relaxed);
        }
        *lock(&self.file) = file;
    }

    /// Updates and writes periodically, until the process drains.
    pub(crate) async fn follow(self: Arc<Self>, mut draining: Draining) {
        let mut looks = 0;
        while !draining.is_draining() {
            tokio::select! {
                () = sleep(LOOK) => {}
                () = draining.wait() => looks = LOOKS_PER_WRITE,
            }
            looks += 1;
            self.look(Timestamp::now());
            if looks >= LOOKS_PER_WRITE && self.news.swap(false, Ordering::Relaxed) {
                let last_uses = Arc::clone(&self);
                // Nothing is lost but a time of last use if the disk is full.
                let _ = tokio::task::spawn_blocking(move || last_uses.write()).await;
                looks = 0;
            }
        }
    }

    /// Turns flags into times.
    pub(crate) fn look(&self, now: Timestamp) {
        for last_used in lock(&self.by_key).values() {
            if last_used.used.swap(false, Ordering::Relaxed) {
                last_used.last.store(now.as_second(), Ordering::Relaxed);
                self.news.store(true, Ordering::Relaxed);
            }
        }
    }

    fn write(&self) {
        let Some(file) = lock(&self.file).clone() else {
            return;
        };
        let known = lock(&self.by_key);
        let times: BTreeMap<String, String> = known
            .iter()
            .filter_map(|(key, last_used)| Some((key.to_string(), last_used.last()?.to_string())))
            .collect();
        drop(known);
        let written = toml::to_string(&times).map_err(|error| error.to_string());
        let written = written.and_then(|text| replace(&file, &text).map_err(|error| error.to_string()));
        if let Err(error) = written {
            tracing::warn!(file = %file.display(), %error, "the last use of keys cannot be written");
        }
    }
}

/// Reads when each key was used last; what cannot be read was never.
pub(crate) fn read(file: &Path) -> HashMap<KeyHash, Timestamp> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let times: HashMap<String, String> = toml::from_str(&text).unwrap_or_default();
    times.into_iter().filter_map(|(key, time)| Some((KeyHash::try_from(key).ok()?, time.parse().ok()?))).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_written_and_known_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys.toml");
        let [one, other] = ["one", "other"].map(KeyHash::of);
        let last_uses = LastUses::default();
        last_uses.persist_beside(Some(&keys));
        last_uses.of(&one).set();
        last_uses.of(&other);
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        last_uses.look(now);
        last_uses.look(Timestamp::from_second(1_800_000_005).unwrap());
        assert!(last_uses.news.load(Ordering::Relaxed));
        last_uses.write();
        assert_eq!(read(&beside(&keys, "used")), HashMap::from([(one, now)]));
        let again = LastUses::default();
        again.persist_beside(Some(&keys));
        assert_eq!((again.of(&one).last(), again.of(&other).last()), (Some(now), None));
    }
}
