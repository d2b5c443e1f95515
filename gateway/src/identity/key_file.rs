//! The file of keys: written by `ispbridge-gateway keys`, read by the gateway whenever it changes.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use chassis::Error;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    identity::key::KeyHash,
    policy::pattern::{AccountPattern, MethodPattern, is_label},
};

/// First line of the file.
const HEAD: &str = "# Written by `ispbridge-gateway keys`; the keys themselves stand nowhere.\n\n";

/// All of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KeyFile {
    /// The keys, oldest first.
    pub(crate) keys: Vec<KeyEntry>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyEntry {
    /// The principal that has it.
    pub(crate) name: String,
    /// Its hash.
    pub(crate) hash: KeyHash,
    /// When it was made.
    pub(crate) created: String,
    /// Groups that who has it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    /// What who has it may do, besides what its principal and its groups may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) grants: Vec<KeyGrant>,
}

/// What a key is granted, written `METHODS@ACCOUNTS`: patterns as in `[[grants]]`, with commas between them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct KeyGrant {
    text: String,
    /// Which methods.
    pub(crate) methods: Vec<MethodPattern>,
    /// With which accounts.
    pub(crate) accounts: Vec<AccountPattern>,
}

impl TryFrom<String> for KeyGrant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let form =
            || format!("{text:?} is no grant: write METHODS@ACCOUNTS, e.g. reads@aex/main or *@aex/*,azotel/main");
        let (methods, accounts) = text.split_once('@').ok_or_else(form)?;
        let parts = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
        let methods = parts(methods).into_iter().map(MethodPattern::try_from).collect::<Result<_, _>>()?;
        let accounts = parts(accounts).into_iter().map(AccountPattern::try_from).collect::<Result<_, _>>()?;
        Ok(Self { methods, accounts, text })
    }
}

impl fmt::Display for KeyGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for KeyGrant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl KeyFile {
    /// Reads the file; one that is not there is an error.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| Error::config("keys.file", format!("{name} cannot be read: {}", error.kind())))?;
        let file: Self = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            Error::config(format!("{name}:{}", before.lines().count().max(1)), error.message())
        })?;
        file.check(&name)?;
        Ok(file)
    }

    fn check(&self, file: &str) -> Result<(), Error> {
        for (index, key) in self.keys.iter().enumerate() {
            if !is_label(&key.name) {
                let place = format!("{file}: keys[{index}].name");
                return Err(Error::config(place, "is 1 to 63 lower-case letters, digits, -, _ or ."));
            }
            if self.keys[..index].iter().any(|other| other.hash == key.hash) {
                return Err(Error::config(format!("{file}: keys[{index}].hash"), "is that of another key"));
            }
        }
        Ok(())
    }

    /// Changes the file while nobody else does; one that is not there is empty.
    pub(crate) fn change<T>(path: &Path, change: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        let said = |error: io::Error| format!("{}: {error}", path.display());
        let lock = File::options().create(true).truncate(false).write(true).open(beside(path, "lock")).map_err(said)?;
        lock.lock().map_err(said)?;
        let mut file = match path.exists() {
            true => Self::read(path).map_err(|error| error.to_string())?,
            false => Self::default(),
        };
        let changed = change(&mut file)?;
        let text = toml::to_string(&file).map_err(|error| error.to_string())?;
        replace(path, &format!("{HEAD}{text}")).map_err(said)?;
        Ok(changed)
    }
}

/// A file beside another, called the same and more.
pub(crate) fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(more);
    name.into()
}

/// Puts a text into a file so that whoever reads it gets the old one or the new one, whole.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let fresh = beside(path, "new");
    let mut file = File::create(&fresh)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, key: &str) -> KeyEntry {
        let grants = ["reads@aex/main", "ispbridge.aex.v1.*,ispbridge.azotel.v1.*@aex/*,azotel/main"];
        KeyEntry {
            name: name.to_owned(),
            hash: KeyHash::of(key),
            created: "2026-11-23T00:00:00Z".to_owned(),
            groups: vec!["staff".to_owned()],
            grants: grants.map(|text| KeyGrant::try_from(text.to_owned()).unwrap()).into(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.toml");
        assert!(KeyFile::read(&path).unwrap_err().to_string().contains("keys.file"));
        for (name, key) in [("crm", "one"), ("shop", "two")] {
            let add = |file: &mut KeyFile| {
                file.keys.push(entry(name, key));
                Ok(())
            };
            KeyFile::change(&path, add).unwrap();
        }
        let expected = KeyFile { keys: vec![entry("crm", "one"), entry("shop", "two")] };
        assert_eq!(KeyFile::read(&path).unwrap(), expected);
        let refused = KeyFile::change(&path, |file| {
            file.keys.clear();
            Err::<(), _>("no".to_owned())
        });
        assert_eq!((refused, KeyFile::read(&path).unwrap()), (Err("no".to_owned()), expected));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.toml");
        let hash = KeyHash::of("one").to_string();
        let good = format!("[[keys]]\nname = \"crm\"\nhash = \"{hash}\"\ncreated = \"\"\n");
        let cases = [
            (good.repeat(2), "keys[1].hash"),
            (good.replace("crm", "Crm"), "keys[0].name"),
            (good.replace("sha256", "sha1"), "keys.toml:"),
            (format!("{good}grants = [\"reads\"]"), "METHODS@ACCOUNTS"),
            (format!("{good}grants = [\"read@aex/main\"]"), "method pattern"),
            (format!("{good}key = 1"), "keys.toml:"),
        ];
        for (text, part) in cases {
            fs::write(&path, text).unwrap();
            let error = KeyFile::read(&path).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("sha1"), "{part}: {error}");
        }
    }
}
