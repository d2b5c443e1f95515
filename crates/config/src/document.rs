//! A configuration as it was read: its table, and where each key of it stands.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{
    error::{Error, Mistake, Mistakes},
    findings::{Findings, lies_within},
    form,
    lines::Lines,
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

    /// Reads what a command wants of it, whatever else it holds.
    ///
    /// # Errors
    /// All that is wrong with that part, each with its place.
    pub fn part<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let mut findings = Findings::default();
        let part = form::read("", &[], Value::Table(self.table.clone()), &mut findings);
        self.settle(findings)?;
        part.ok_or_else(|| Error::program("the configuration cannot be read"))
    }

    /// Where a key stands: `file:line`, or the variable that set it. Nothing is known of one that is not there.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<String> {
        let variable = self.variable(key).map(str::to_owned);
        let line = || self.file.as_ref().and_then(|file| Some(file.place(Lines::of(&file.text)?.line(key)?)));
        variable.or_else(line)
    }

    pub(crate) fn table_mut(&mut self) -> &mut Table {
        &mut self.table
    }

    /// Notes that a variable set a key.
    pub(crate) fn set(&mut self, key: String, variable: &str) {
        self.set.push((key, variable.to_owned()));
    }

    /// Lets the files that the configuration names be relative to its own file; a key that names a file is called `file`.
    pub(crate) fn resolve_files(&mut self) {
        if let Some(folder) = self.file.as_ref().and_then(|file| file.path.parent()) {
            self.table.iter_mut().for_each(|(key, value)| resolve(key, value, folder));
        }
    }

    /// Says where what was found stands: the mistakes if there are any, else the warnings.
    ///
    /// # Errors
    /// All mistakes.
    pub fn settle(&self, findings: Findings) -> Result<Vec<Mistake>, Error> {
        if findings.mistakes.is_empty() {
            return Ok(self.placed(findings.warnings));
        }
        let absent = self.absent.as_ref().map(|why| Mistake::new("", why));
        Err(Error::Config(Mistakes(absent.into_iter().chain(self.placed(findings.mistakes)).collect())))
    }

    /// Adds the places to an error that has none.
    #[must_use]
    pub fn locate(&self, error: Error) -> Error {
        match error {
            Error::Config(Mistakes(mistakes)) => Error::Config(Mistakes(self.placed(mistakes))),
            other => other,
        }
    }

    /// Adds places, and puts what stands in the file into its order.
    fn placed(&self, mistakes: Vec<Mistake>) -> Vec<Mistake> {
        let lines = self.file.as_ref().filter(|_| !mistakes.is_empty());
        let lines = lines.and_then(|file| Some((file, Lines::of(&file.text)?)));
        let mut placed: Vec<(usize, Mistake)> = mistakes
            .into_iter()
            .map(|mistake| match (&mistake.place, self.variable(&mistake.key), &lines) {
                (Some(_), _, _) => (0, mistake),
                (None, Some(variable), _) => (0, Mistake { place: Some(variable.to_owned()), ..mistake }),
                (None, None, Some((file, lines))) if !mistake.key.is_empty() => {
                    let line = lines.line(&mistake.key).unwrap_or(0);
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
