//! The key file: written by `ispbridge-gateway keys`, read by the gateway whenever it changes.
//!
//! Entries are read one by one; an invalid one does not affect the others.

use std::{
    fmt,
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
};

use config::{Error, Lines, Mistakes, said_of_file};
use rustc_hash::FxHashMap;
use toml::{Table, Value};

use crate::{
    atomic_file::{beside, replace},
    config::{
        key_entry::{BadEntry, EntryPosition, KeyEntry},
        pattern::is_label,
    },
    key::KeyHash,
};

/// First line of the file.
const HEAD: &str = "# Written by `ispbridge-gateway keys`; the keys themselves stand nowhere.\n\n";
/// The list of keys in it.
const KEYS: &str = "keys";
const NO_LIST: &str = "keys: must be a list: each key begins with [[keys]]";

/// The content of the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyFile {
    /// The keys, oldest first.
    pub(crate) entries: Vec<Arc<LocatedEntry>>,
    /// Entries that are invalid with any configuration.
    pub(crate) bad: Vec<BadEntry>,
}

/// A key and its position.
#[derive(Debug)]
pub(crate) struct LocatedEntry {
    pub(crate) position: EntryPosition,
    pub(crate) key: KeyEntry,
}

impl KeyFile {
    /// Reads the file; a missing file or invalid TOML is an error.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text = config::read_text(path).map_err(|error| unreadable(path, &error))?;
        Self::parse(&text).map_err(|(line, problem)| Error::at(format!("{}:{line}", path.display()), problem))
    }

    /// Reads the file; a missing file is empty.
    pub(crate) fn read_if_there(path: &Path) -> Result<Self, Error> {
        if path.exists() { Self::read(path) } else { Ok(Self::default()) }
    }

    /// Parses a text; the error has the line.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let table = config::parse_toml(text)?;
        let lines = Lines::of(text);
        let line = |key: &str| lines.as_ref().and_then(|lines| lines.line(key)).unwrap_or(1);
        let mut file = Self::default();
        for (name, value) in table {
            match (name.as_str(), value) {
                (KEYS, Value::Array(items)) => {
                    file.list(items.into_iter().enumerate().map(|(index, item)| entry(index, item, &line)));
                }
                (KEYS, _) => return Err((line(KEYS), NO_LIST.to_owned())),
                (name, _) => file.bad.push(BadEntry::stray(name, line(name))),
            }
        }
        Ok(file)
    }

    fn list(&mut self, entries: impl Iterator<Item = Result<LocatedEntry, BadEntry>>) {
        let mut seen = FxHashMap::default();
        for entry in entries {
            let first = |entry: LocatedEntry| match *seen.entry(entry.key.hash).or_insert(entry.position.index) {
                other if other == entry.position.index => Ok(entry),
                other => Err(entry.position.bad("hash", format!("must be that of one key only; keys[{other}] has it"))),
            };
            match entry.and_then(first) {
                Ok(entry) => self.entries.push(Arc::new(entry)),
                Err(bad) => self.bad.push(bad),
            }
        }
    }

    /// Changes the file under a lock. Invalid entries stay as they are; a missing file counts as empty.
    pub(crate) fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut Vec<Value>) -> Result<T, String>,
    ) -> Result<T, String> {
        let said = |error: io::Error| format!("{}: {error}", path.display());
        let lock = File::options().create(true).truncate(false).write(true).open(beside(path, "lock")).map_err(said)?;
        lock.lock().map_err(said)?;
        let mut table = match fs::read_to_string(path) {
            Ok(text) => parsed(path, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Table::new(),
            Err(error) => return Err(said(error)),
        };
        let changed = match table.entry(KEYS).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(keys) => change(keys)?,
            _ => return Err(format!("{}: {NO_LIST}", path.display())),
        };
        let text = toml::to_string(&table).map_err(|error| error.to_string())?;
        replace(path, &format!("{HEAD}{text}")).map_err(said)?;
        Ok(changed)
    }
}

/// Reads an entry; `line` finds the lines of its keys.
fn entry(index: usize, mut item: Value, line: &impl Fn(&str) -> usize) -> Result<LocatedEntry, BadEntry> {
    let key = format!("{KEYS}[{index}]");
    let position = EntryPosition { index, line: line(&key), id: called(&item).0 };
    if let Some(time @ Value::Datetime(_)) = item.get_mut("expires") {
        // A time may stand without quotes.
        *time = Value::String(time.to_string());
    }
    let bad = |position: EntryPosition, mistakes: &Mistakes| {
        let line = mistakes.iter().next().map_or(position.line, |first| line(&first.key));
        EntryPosition { line, ..position }.bad("", within(&key, mistakes))
    };
    match config::read_entry::<KeyEntry>(&key, item) {
        Ok(read) if is_label(&read.name) => Ok(LocatedEntry { position, key: read }),
        Ok(_) => Err(position.bad("name", "must be 1 to 63 lower-case letters, digits, -, _ or .")),
        Err(mistakes) => Err(bad(position, &mistakes)),
    }
}

/// The errors of an entry, by field.
fn within(entry: &str, mistakes: &Mistakes) -> String {
    let field = |key: &str| key.strip_prefix(entry).map_or("", |field| field.trim_start_matches('.')).to_owned();
    let said = mistakes.iter().map(|mistake| match field(&mistake.key).as_str() {
        "" => mistake.text.clone(),
        field => format!("{field}: {}", mistake.text),
    });
    said.collect::<Vec<_>>().join("; ")
}

impl fmt::Display for LocatedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.position, self.key.name)
    }
}

/// The id of an entry's key, if its hash can be read, and the name of its principal.
pub(crate) fn called(entry: &Value) -> (Option<String>, Option<&str>) {
    let text = |field: &str| entry.get(field).and_then(Value::as_str);
    let hash = text("hash").and_then(|hash| KeyHash::try_from(hash.to_owned()).ok());
    (hash.map(|hash| hash.id()), text("name"))
}

fn parsed(path: &Path, text: &str) -> Result<Table, String> {
    config::parse_toml(text).map_err(|(line, problem)| format!("{}:{line}: {problem}", path.display()))
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::config("keys.file", format!("must be a file that can be read: {}: {}", path.display(), said_of_file(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, key: &str) -> Value {
        let text = format!(
            "name = \"{name}\"\nhash = \"{}\"\ncreated = \"2026-11-23T00:00:00Z\"\ngroups = [\"staff\"]\n\
             grants = [\"reads@aex/main\", \"ispbridge.aex.v1.*,ispbridge.azotel.v1.*@aex/*,azotel/main\"]\n",
            KeyHash::of(key)
        );
        toml::from_str(&text).unwrap()
    }

    fn add(path: &Path, name: &str, key: &str) {
        let push = |keys: &mut Vec<Value>| {
            keys.push(entry(name, key));
            Ok(())
        };
        KeyFile::change(path, push).unwrap();
    }

    fn keys(file: &KeyFile) -> Vec<KeyEntry> {
        file.entries.iter().map(|entry| entry.key.clone()).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.toml");
        assert!(KeyFile::read(&path).unwrap_err().to_string().contains("keys.file"));
        for (name, key) in [("crm", "one"), ("shop", "two")] {
            add(&path, name, key);
        }
        let expected: Vec<KeyEntry> =
            [entry("crm", "one"), entry("shop", "two")].map(|entry| entry.try_into().unwrap()).into();
        assert_eq!(keys(&KeyFile::read(&path).unwrap()), expected);
        let refused = KeyFile::change(&path, |file| {
            file.clear();
            Err::<(), _>("no".to_owned())
        });
        assert_eq!((refused, keys(&KeyFile::read(&path).unwrap())), (Err("no".to_owned()), expected));
    }

    #[test]
    fn a_bad_entry_is_named_and_the_others_are_read() {
        let hash = |key: &str| KeyHash::of(key).to_string();
        let id = KeyHash::of("bad").id();
        let of = |key: &str| format!("[[keys]]\nname = \"crm\"\nhash = \"{}\"\ncreated = \"\"\n", hash(key));
        let (good, bad) = (of("good"), of("bad"));
        let id = Some(id.as_str());
        let cases = [
            (bad.replace("crm", "Crm"), 5, id, "name: must be 1 to 63"),
            (bad.replace("sha256", "sha1"), 7, None, "sha256"),
            (bad.replace(&hash("bad"), "ispb_hunter2"), 7, None, "sha256"),
            (format!("{bad}grants = [\"reads\"]\n"), 9, id, "METHODS@ACCOUNTS"),
            (format!("{bad}grants = [\"read@aex/main\"]\n"), 9, id, "package.Service"),
            (format!("{bad}key = 1\n"), 9, id, "key: unknown key: must be one of name, hash"),
            (format!("{bad}groups = \"hunter2\"\n"), 9, id, "groups: must be a list"),
            (format!("{bad}expires = \"soon\"\n"), 9, id, "2027-01-01"),
            (format!("{bad}expires = [2027-01-01]\n"), 9, id, "expires: must be a time"),
            (format!("{bad}grants = [\"reads@aex/main\", 7]\n"), 9, id, "grants[1]: must be a text"),
            (bad.replace("created = \"\"\n", ""), 5, id, "created: must be given"),
            (good.clone(), 5, Some(&*KeyHash::of("good").id()), "keys[0] has it"),
        ];
        for (text, line, id, part) in cases {
            let file = KeyFile::parse(&format!("{good}{text}{}", of("last"))).unwrap();
            let names: Vec<_> = file.entries.iter().map(|entry| entry.key.hash).collect();
            assert_eq!(names, [KeyHash::of("good"), KeyHash::of("last")], "{part}");
            let [bad] = file.bad.as_slice() else { panic!("{part}: {:?}", file.bad) };
            let said = bad.to_string();
            assert_eq!((bad.position.index, bad.position.line, bad.position.id.as_deref()), (1, line, id), "{said}");
            assert!(said.starts_with("keys[1] (line ") && said.contains(part) && !said.contains("hunter2"), "{said}");
        }
        let stray = KeyFile::parse(&format!("{good}[[key]]\nname = \"crm\"\n")).unwrap();
        assert_eq!(
            (stray.entries.len(), stray.bad[0].to_string().as_str()),
            (1, "key (line 5) must not be there: each key begins with [[keys]]")
        );
    }

    #[test]
    fn a_list_is_no_entry() {
        let fields = format!("[\"crm\", \"{}\", \"\"]", KeyHash::of("one"));
        let file = KeyFile::parse(&format!("keys = [\n  {fields},\n]")).unwrap();
        let bad: Vec<_> = file.bad.iter().map(ToString::to_string).collect();
        assert_eq!((file.entries.len(), bad), (0, vec!["keys[0] (line 2): must be a table".to_owned()]));
    }

    #[test]
    fn a_time_may_stand_without_quotes() {
        let day = "2027-01-01T00:00:00Z";
        for (text, expected) in
            [("2027-01-01", day), ("2027-01-01T02:00:00+02:00", day), ("2027-01-01 12:30:00Z", "2027-01-01T12:30:00Z")]
        {
            let entry = format!("name = \"crm\"\nhash = \"{}\"\ncreated = \"\"", KeyHash::of("one"));
            let file = KeyFile::parse(&format!("[[keys]]\n{entry}\nexpires = {text}")).unwrap();
            assert_eq!(file.entries[0].key.expires.unwrap().to_string(), expected, "{:?}", file.bad);
        }
        for text in ["2027-01-01T12:30:00", "12:30:00"] {
            let file = KeyFile::parse(&format!("[[keys]]\nexpires = {text}\n")).unwrap();
            assert!(file.bad[0].to_string().contains("(line 2): expires: must be a time"), "{:?}", file.bad);
        }
    }

    #[test]
    fn what_is_no_list_of_keys_is_an_error() {
        let deep = "[".repeat(70);
        for (text, line) in [("[[keys]]\nname = ", 2), ("\nkeys = 7", 2), (&format!("a = {deep}"), 1)] {
            assert_eq!(KeyFile::parse(text).unwrap_err().0, line, "{text}");
        }
        assert!(KeyFile::parse("").unwrap().entries.is_empty());
    }

    #[test]
    fn bad_entries_do_not_keep_others_from_being_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.toml");
        fs::write(&path, "[[keys]]\nname = \"crm\"\nhash = 7\nodd = 1\n").unwrap();
        add(&path, "shop", "two");
        let file = KeyFile::read(&path).unwrap();
        assert_eq!((file.entries.len(), file.bad.len()), (1, 1));
        assert!(fs::read_to_string(&path).unwrap().contains("odd = 1"));
    }
}
