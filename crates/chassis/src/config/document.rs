//! A configuration as it was read: its table, and where each key of it stands.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
};

use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

use super::findings::{Findings, lies_within};
use crate::{
    Error,
    error::{Mistake, Mistakes},
};

/// The name of every key that names a file.
const FILE: &str = "file";

/// A configuration, and where it came from. One that is made of a [`Table`] came from nowhere: what is wrong with it is told by
/// key alone.
#[derive(Clone, Debug, Default)]
pub struct Document {
    table: Table,
    file: Option<Text>,
    /// Keys that variables set, with the names of the variables.
    set: Vec<(String, String)>,
    /// Why there is no file, if there should have been one.
    absent: Option<String>,
}

/// The text of a file.
#[derive(Clone, Debug)]
struct Text {
    path: PathBuf,
    text: Arc<str>,
}

impl From<Table> for Document {
    fn from(table: Table) -> Self {
        Self { table, ..Self::default() }
    }
}

impl Deref for Document {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.table
    }
}

impl Document {
    pub(crate) fn of_file(path: &Path, text: String, table: Table) -> Self {
        let text = Text { path: path.to_owned(), text: text.into() };
        Self { table, file: Some(text), ..Self::default() }
    }

    /// One without a file, and why there is none.
    pub(crate) fn absent(why: Option<String>) -> Self {
        Self { absent: why, ..Self::default() }
    }

    /// The configuration without its places.
    #[must_use]
    pub fn into_table(self) -> Table {
        self.table
    }

    pub(super) fn table_mut(&mut self) -> &mut Table {
        &mut self.table
    }

    /// Notes that a variable set a key.
    pub(super) fn set(&mut self, key: String, variable: &str) {
        self.set.push((key, variable.to_owned()));
    }

    /// Lets the files that the configuration names be relative to its own file; a key that names a file is called `file`.
    pub(super) fn resolve_files(&mut self) {
        if let Some(folder) = self.file.as_ref().and_then(|file| file.path.parent()) {
            self.table.iter_mut().for_each(|(key, value)| resolve(key, value, folder));
        }
    }

    /// Says where what was found stands: the mistakes if there are any, else the warnings.
    pub(crate) fn settle(&self, findings: Findings) -> Result<Vec<Mistake>, Error> {
        if findings.mistakes.is_empty() {
            return Ok(self.placed(findings.warnings));
        }
        let absent = self.absent.as_ref().map(|why| Mistake::new("", why));
        Err(Error::Config(Mistakes(absent.into_iter().chain(self.placed(findings.mistakes)).collect())))
    }

    /// Adds the places to an error that has none.
    pub(crate) fn locate(&self, error: Error) -> Error {
        match error {
            Error::Config(Mistakes(mistakes)) => Error::Config(Mistakes(self.placed(mistakes))),
            other => other,
        }
    }

    /// Adds places, and puts what stands in the file into its order.
    fn placed(&self, mistakes: Vec<Mistake>) -> Vec<Mistake> {
        let spans = self.file.as_ref().and_then(|file| Some((file, DeTable::parse(&file.text).ok()?)));
        let spans = spans.as_ref().filter(|_| !mistakes.is_empty());
        let mut placed: Vec<(usize, Mistake)> = mistakes
            .into_iter()
            .map(|mistake| match (&mistake.place, self.variable(&mistake.key), spans) {
                (Some(_), _, _) => (0, mistake),
                (None, Some(variable), _) => (0, Mistake { place: Some(variable.to_owned()), ..mistake }),
                (None, None, Some((file, table))) if !mistake.key.is_empty() => {
                    let line = start(table.get_ref(), &mistake.key).map_or(0, |start| file.line(start));
                    (line, Mistake { place: Some(file.place(line)), ..mistake })
                }
                _ => (0, mistake),
            })
            .collect();
        placed.sort_by_key(|(line, _)| *line);
        placed.into_iter().map(|(_, mistake)| mistake).collect()
    }

    /// The variable that set a key, or something below it.
    fn variable(&self, key: &str) -> Option<&str> {
        let set = self.set.iter().rev().find(|(set, _)| lies_within(key, set));
        set.map(|(_, variable)| variable.as_str())
    }
}

impl Text {
    fn line(&self, start: usize) -> usize {
        line(&self.text, start)
    }

    /// Of a section that is not there at all no line can be named.
    fn place(&self, line: usize) -> String {
        let file = self.path.display();
        if line == 0 { file.to_string() } else { format!("{file}:{line}") }
    }
}

fn resolve(key: &str, value: &mut Value, folder: &Path) {
    match value {
        Value::String(text) if key == FILE => {
            // A path that came out of a text goes back into one.
            *text = folder.join(&*text).to_string_lossy().into_owned();
        }
        // Names and values of [telemetry.resource] are the operator's own.
        Value::Table(_) if key == "resource" => {}
        Value::Table(table) => table.iter_mut().for_each(|(key, value)| resolve(key, value, folder)),
        Value::Array(items) => items.iter_mut().for_each(|value| resolve("", value, folder)),
        _ => {}
    }
}

/// The line of a place in a text.
pub(super) fn line(text: &str, start: usize) -> usize {
    text.get(..start).unwrap_or_default().matches('\n').count() + 1
}

/// Where a key begins, or the nearest one around it that is there.
fn start(table: &DeTable<'_>, key: &str) -> Option<usize> {
    // The longest of the names: an alias may have dots.
    let names = table.iter().filter(|(name, _)| lies_within(key, name.get_ref()));
    let (name, value) = names.max_by_key(|(name, _)| name.get_ref().len())?;
    Some(inside(value, &key[name.get_ref().len()..]).unwrap_or(name.span().start))
}

/// Where what is left of a key begins inside a value; nothing if it is not there.
fn inside(value: &Spanned<DeValue<'_>>, rest: &str) -> Option<usize> {
    match value.get_ref() {
        DeValue::Table(table) => start(table, rest.strip_prefix('.')?),
        DeValue::Array(items) => {
            let (index, rest) = rest.strip_prefix('[')?.split_once(']')?;
            let item = items.get(index.parse::<usize>().ok()?)?;
            Some(inside(item, rest).unwrap_or(item.span().start))
        }
        _ => None,
    }
}
