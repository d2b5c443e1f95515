//! Every key of every configuration: unknown, wrong or missing, it is named, and the program ends with 64.

use std::{collections::BTreeSet, fs, os::unix::process::CommandExt, process::Command};

use ispbridge::programs;
use ispbridge_sandbox::StandIn;
use tempfile::TempDir;
use toml::{Table, Value};

use crate::tree::{ROOT, read};

/// Words that are no key of anybody.
const UNKNOWN: &str = "colour";

/// The sections that every program has.
const CHASSIS: [&str; 5] = ["server", "admin", "telemetry", "log", "callers"];

/// The same with those that a sample may do without.
const SECTIONS: [&str; 7] = ["server", "admin", "telemetry", "log", "audit", "callers", "consul"];

/// A program with its sample, whose secrets stand in files.
struct Subject {
    program: String,
    sample: Table,
    folder: TempDir,
}

impl Subject {
    fn new(program: &str, sample: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let secret = folder.path().join("secret");
        fs::write(&secret, "a secret of at least thirty-two bytes").unwrap();
        let mut sample: Value = Value::Table(read(sample).parse().unwrap());
        in_files(&mut sample, secret.to_str().unwrap());
        let Value::Table(mut sample) = sample else { panic!("no table") };
        for section in CHASSIS {
            sample.entry(section).or_insert_with(|| Value::Table(Table::new()));
        }
        Self { program: program.to_owned(), sample, folder }
    }

    fn provider(provider: &str) -> Self {
        Self::new(&format!("ispbridge-{provider}"), &format!("services/{provider}/{provider}.sample.toml"))
    }

    /// What `--check-config` says: the exit code and its words.
    fn check(&self, config: &Table) -> (i32, String) {
        let file = self.folder.path().join("config.toml");
        fs::write(&file, config.to_string()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_programs"))
            .arg0(&self.program)
            .args(["--check-config", "--config"])
            .arg(&file)
            .current_dir(*ROOT)
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// The sample with something else at a place.
    fn with(&self, place: &[&str], key: &str, value: Value) -> Table {
        let mut config = Value::Table(self.sample.clone());
        table(&mut config, place).insert(key.to_owned(), value);
        config.try_into().unwrap()
    }

    fn without(&self, place: &[&str], key: &str) -> Table {
        let mut config = Value::Table(self.sample.clone());
        table(&mut config, place).remove(key);
        config.try_into().unwrap()
    }

    /// Tries an unknown key at a place, and returns those that would be known there, as the message has them.
    fn known(&self, place: &[&str]) -> BTreeSet<String> {
        let (code, said) = self.check(&self.with(place, UNKNOWN, "blue".into()));
        assert_eq!(code, 64, "{said}");
        assert!(names(&said, place, UNKNOWN), "{} {place:?}: {said}", self.program);
        let known = said.split_once("unknown key: must be ").map_or("", |(_, known)| known.trim());
        known.trim_start_matches("one of ").split(", ").map(str::to_owned).collect()
    }

    /// Tries every key of a place with a value that no key has, and says which cannot be left out.
    fn try_all(&self, place: &[&str], known: &BTreeSet<String>) -> Vec<String> {
        let mut required = Vec::new();
        for key in known {
            // Deep enough that no list of records takes it for one: a record may also be written as a list.
            let odd = (0..4).fold(Value::from("odd"), |inner, _| Value::Array(vec![inner]));
            let (code, said) = self.check(&self.with(place, key, odd));
            assert_eq!(code, 64, "{} {place:?} {key}: {said}", self.program);
            assert!(names(&said, place, key), "{} {place:?} {key}: {said}", self.program);
            let (code, said) = self.check(&self.without(place, key));
            if code != 0 {
                assert_eq!(code, 64, "{said}");
                // What another entry needs of a list is named there: "there is no route to ...".
                let singular = key.trim_end_matches('s');
                assert!(names(&said, place, singular), "{} without {place:?} {key}: {said}", self.program);
                required.push(key.clone());
            }
        }
        required
    }
}

/// Whether a message names a key, or at least the section that lacks it.
fn names(said: &str, place: &[&str], key: &str) -> bool {
    let section = place.iter().find(|part| part.parse::<usize>().is_err());
    said.contains(": configuration: ") && said.contains(*section.unwrap_or(&key)) && said.contains(key)
}

/// Secrets out of files in place of those out of variables.
fn in_files(value: &mut Value, path: &str) {
    match value {
        Value::Table(table) if table.len() == 1 && table.contains_key("env") => {
            *table = Table::from_iter([("file".to_owned(), path.into())]);
        }
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| in_files(value, path)),
        Value::Array(items) => items.iter_mut().for_each(|value| in_files(value, path)),
        _ => {}
    }
}

/// The table at a place; numbers are the indices of lists.
fn table<'v>(value: &'v mut Value, place: &[&str]) -> &'v mut Table {
    let Some((first, rest)) = place.split_first() else { return value.as_table_mut().unwrap() };
    let next = match value {
        Value::Array(items) => &mut items[first.parse::<usize>().unwrap()],
        Value::Table(table) => table.entry(*first).or_insert_with(|| Value::Table(Table::new())),
        _ => panic!("{place:?}"),
    };
    table(next, rest)
}

/// The sections of the chassis, which every program has alike.
fn sections(subject: &Subject) {
    assert_eq!(subject.check(&subject.sample), (0, String::new()), "{}", subject.program);
    let mut keys = 0;
    for section in CHASSIS {
        let known = subject.known(&[section]);
        keys += known.len();
        for key in subject.try_all(&[section], &known) {
            // Whoever leaves out the mode of callers must give their keys.
            assert_eq!((section, key.as_str()), ("callers", "mode"));
        }
    }
    assert!(keys >= 30, "only {keys} keys");
}

fn account(provider: &str) {
    let own = StandIn::of(provider).account.iter().map(|key| key.name);
    let required: BTreeSet<_> = own.chain(["base_url"]).collect();
    let subject = Subject::provider(provider);
    sections(&subject);
    let all: BTreeSet<String> = SECTIONS.iter().chain(&["accounts"]).map(|name| (*name).to_owned()).collect();
    assert_eq!(subject.known(&[]), all);
    assert_eq!(subject.try_all(&[], &BTreeSet::from(["accounts".to_owned()])), ["accounts"]);
    let place = ["accounts", "main"];
    assert!(subject.try_all(&place, &subject.known(&place)).iter().eq(required), "{provider}");
    let place = ["accounts", "main", "transport"];
    let known = subject.known(&place);
    assert!(known.len() >= 9, "{known:?}");
    assert_eq!(subject.try_all(&place, &known), [""; 0], "{provider}");
}

#[test]
fn every_key_of_every_provider() {
    programs::names().for_each(account);
}

#[test]
fn every_key_of_the_gateway() {
    let subject = Subject::new("ispbridge-gateway", "gateway/gateway.sample.toml");
    assert_eq!(subject.check(&subject.sample), (0, String::new()));
    let places: [(&[&str], &[&str]); 6] = [
        (&[], &["principals", "signing"]),
        (&["signing"], &["id", "secret"]),
        (&["limits"], &[]),
        (&["principals", "0"], &["name"]),
        (&["grants", "0"], &["accounts", "methods", "principals"]),
        (&["routes", "0"], &["instances", "provider"]),
    ];
    for (place, required) in places {
        let mut known = subject.known(place);
        known.retain(|key| !SECTIONS.contains(&key.as_str()));
        assert_eq!(subject.try_all(place, &known), required, "{place:?}");
    }
}
