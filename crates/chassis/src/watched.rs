//! Files that are looked at again and again, and what is done when they have changed.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use config::{Content, Noted};
use serving::{Draining, ServingContext};
use tokio::task::spawn_blocking;

/// A file that is being written is waited for until it looks the same twice with this time in between ...
const SETTLING: Duration = Duration::from_millis(200);
/// ... but not more often than this: one that never rests is read as it is.
const LOOKS: u32 = 3;
/// Two changes within this time may leave the same stamp: clocks of file systems are that coarse.
const COARSE: Duration = Duration::from_secs(2);

/// What is read again when its files change. Everything here may wait for a disk.
pub(crate) trait Watched: Send + Sync + 'static {
    /// Its name in metrics.
    fn name(&self) -> &'static str;
    /// Its files, with what they held when they were last read or seen.
    fn files(&self) -> Noted;
    /// Reads them again, although they were `seen` to be as they are; whether what they say was taken.
    fn take(&self, seen: Noted) -> bool;
}

/// Files that differ from what they were.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    seen: Noted,
    /// When the last of them changed.
    since: Option<SystemTime>,
}

/// Remembers what files held, so that one that is the same need not be read.
#[derive(Debug, Default)]
struct Looker(HashMap<PathBuf, Known>);

#[derive(Clone, Copy, Debug)]
struct Known {
    stamp: Stamp,
    content: Content,
    /// Whether another change would certainly leave another stamp.
    is_settled: bool,
}

/// What is known of a file without reading it. A link is followed: where a whole directory is replaced by turning a link,
/// as for the secrets of Kubernetes, the file behind it is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    /// The time of the last change of content, name or owner, which nobody can set.
    changed: SystemTime,
}

/// Begins to watch, as often as the configuration says.
pub(crate) fn begin(watched: Arc<dyn Watched>, serving: &ServingContext) {
    let every = serving.settings().reload_seconds.0;
    if !every.is_zero() {
        tokio::spawn(watch(watched, serving.clone(), every));
    }
}

/// Watches until the process drains. No look and no reading runs where calls do: a disk, or who is behind a file, may be slow.
async fn watch(watched: Arc<dyn Watched>, serving: ServingContext, every: Duration) {
    let mut draining = serving.draining();
    let mut looker = Looker::default();
    while pause(every, &mut draining).await {
        let mut change = look(&watched, &mut looker).await;
        for _ in 0..LOOKS {
            if change.is_none() || !pause(SETTLING.min(every), &mut draining).await {
                break;
            }
            let settled = look(&watched, &mut looker).await;
            if std::mem::replace(&mut change, settled) == change {
                break;
            }
        }
        if let Some(change) = change {
            take(&watched, change, &serving).await;
        }
    }
}

async fn look(watched: &Arc<dyn Watched>, looker: &mut Looker) -> Option<Change> {
    let (watched, mut looking) = (Arc::clone(watched), std::mem::take(looker));
    let looked = spawn_blocking(move || {
        let change = looking.change(&watched.files());
        (looking, change)
    });
    let (looked, change) = looked.await.ok()?;
    *looker = looked;
    change
}

async fn take(watched: &Arc<dyn Watched>, change: Change, serving: &ServingContext) {
    let (name, taking) = (watched.name(), Arc::clone(watched));
    let is_taken = spawn_blocking(move || taking.take(change.seen)).await.unwrap_or(false);
    if let (true, Some(since)) = (is_taken, change.since) {
        serving.telemetry().instruments.record_reload_delay(name, since.elapsed().unwrap_or_default());
    }
}

/// False if the process drains.
async fn pause(time: Duration, draining: &mut Draining) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = draining.wait() => false,
    }
}

impl Looker {
    fn change(&mut self, files: &Noted) -> Option<Change> {
        let mut change = Change { seen: Noted::new(), since: None };
        let mut differs = false;
        for (file, before) in files {
            let content = self.look(file);
            if content != *before {
                differs = true;
                change.since = change.since.max(self.0.get(file).map(|known| known.stamp.changed));
            }
            change.seen.insert(file.clone(), content);
        }
        self.0.retain(|file, _| files.contains_key(file));
        differs.then_some(change)
    }

    fn look(&mut self, file: &Path) -> Content {
        let now = SystemTime::now();
        let Some(stamp) = Stamp::of(file) else {
            self.0.remove(file);
            return Content::Unreadable;
        };
        if let Some(known) = self.0.get(file)
            && known.is_settled
            && known.stamp == stamp
        {
            return known.content;
        }
        let is_settled = now.duration_since(stamp.changed).is_ok_and(|age| age > COARSE);
        let known = Known { stamp, content: Content::of(file), is_settled };
        self.0.insert(file.to_owned(), known);
        known.content
    }
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let known = fs::metadata(file).ok()?;
        let since = Duration::new(u64::try_from(known.ctime()).ok()?, u32::try_from(known.ctime_nsec()).ok()?);
        let changed = SystemTime::UNIX_EPOCH + since;
        Some(Self { device: known.dev(), inode: known.ino(), length: known.len(), changed })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with one file of a secret, behind two links as Kubernetes has it.
    fn mounted(folder: &Path, version: &str, text: &str) -> PathBuf {
        let data = folder.join(version);
        fs::create_dir(&data).unwrap();
        fs::write(data.join("token"), text).unwrap();
        symlink(version, folder.join("..new")).unwrap();
        fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
        folder.join("..data").join("token")
    }

    #[test]
    fn every_way_to_change_a_file_is_seen_and_touching_it_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = mounted(folder.path(), "one", "1");
        let mut looker = Looker::default();
        let mut before = Noted::from([(file.clone(), Content::of_bytes(b"1"))]);
        let mut is_changed = |what: &str| {
            let Some(change) = looker.change(&before) else { return false };
            assert!(change.since.is_some() == file.exists(), "{what}");
            before = change.seen;
            true
        };
        assert!(!is_changed("nothing"));
        // The same length within the same tick of the file system's clock.
        fs::write(folder.path().join("one/token"), "2").unwrap();
        assert!(is_changed("written in place"));
        fs::write(folder.path().join("one/token"), "2").unwrap();
        assert!(!is_changed("written again"));
        mounted(folder.path(), "two", "3");
        assert!(is_changed("behind a link that was turned"));
        let other = folder.path().join("other");
        fs::write(&other, "4").unwrap();
        fs::rename(&other, folder.path().join("two/token")).unwrap();
        assert!(is_changed("replaced by another"));
        fs::remove_file(folder.path().join("two/token")).unwrap();
        assert!(is_changed("gone"));
        assert!(!is_changed("still gone"));
        fs::write(folder.path().join("two/token"), "4").unwrap();
        assert!(is_changed("there again"));
    }

    #[test]
    fn a_file_that_rests_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "1").unwrap();
        let mut looker = Looker::default();
        looker.look(&file);
        let known = looker.0.get_mut(&file).unwrap();
        assert!(!known.is_settled, "it has just changed");
        // As it will be two seconds later.
        (known.is_settled, known.content) = (true, Content::Stream);
        assert_eq!(looker.look(&file), Content::Stream, "it is not read again");
    }
}
