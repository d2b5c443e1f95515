//! A configuration file: read, completed by variables, and split into sections.

use std::{collections::BTreeMap, path::Path};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{
    document::Document,
    error::{Error, Mistake, Mistakes},
    findings::Findings,
    form, lines, nesting,
    note::{read_text, said_of_file},
    overrides, standard,
};

/// Reads TOML that somebody wrote, as the configuration is read: nothing that nests too deep.
///
/// # Errors
/// The line, from 1, and what is wrong with it.
pub fn parse_toml(text: &str) -> Result<Table, (usize, String)> {
    let first = |errors: Vec<_>| errors.into_iter().next();
    nesting::parse(text).map_err(|errors| {
        first(errors)
            .map_or((1, "cannot be read".to_owned()), |error| (line_of(text, &error), error.message().to_owned()))
    })
}

fn line_of(text: &str, error: &toml::de::Error) -> usize {
    lines::line(text, error.span().map_or(0, |span| span.start))
}

/// Reads a file; the text of a broken one is not repeated, it might hold what it should not.
pub(crate) fn read(path: &Path) -> Result<Document, Error> {
    let name = path.display().to_string();
    let wrong = |mistakes| Error::Config(Mistakes(mistakes));
    let text = read_text(path)
        .map_err(|error| wrong(vec![Mistake::at(&name, format!("cannot be read: {}", said_of_file(&error)))]))?;
    match nesting::parse(&text) {
        Ok(table) => Ok(Document::of_file(path, text, table)),
        Err(errors) => Err(wrong(by_line(&name, &text, &errors))),
    }
}

/// The first error of each line: one that is not closed makes others of what follows.
fn by_line(name: &str, text: &str, errors: &[toml::de::Error]) -> Vec<Mistake> {
    let mut lines = BTreeMap::new();
    for error in errors {
        lines.entry(line_of(text, error)).or_insert_with(|| error.message());
    }
    lines.into_iter().map(|(line, message)| Mistake::at(format!("{name}:{line}"), message)).collect()
}

/// Whether a variable of this name can mean anything to [`complete`].
pub(crate) fn is_read(name: &str) -> bool {
    overrides::is_read(name) || standard::is_read(name)
}

/// Applies what variables say to what a file says, and lets files be named relative to it.
pub(crate) fn complete(document: &mut Document, variables: &[(String, String)]) -> Result<(), Error> {
    standard::apply(document, variables)?;
    overrides::apply(document, variables)?;
    document.resolve_files();
    Ok(())
}

/// Reads one entry of a file beside the configuration, as the configuration is read.
///
/// # Errors
/// All that is wrong with it, by the key at which it stands.
pub fn read_entry<T: DeserializeOwned>(key: &str, value: Value) -> Result<T, Mistakes> {
    let mut findings = Findings::default();
    let entry = form::read(key, &[], value, &mut findings);
    match (entry, findings.mistakes.is_empty()) {
        (Some(entry), true) => Ok(entry),
        _ => Err(Mistakes(findings.mistakes)),
    }
}

/// Reads what is left of a configuration once the `sections` of others were taken out; nothing if it cannot be read at all.
pub fn read_rest<T: DeserializeOwned>(sections: &[&str], rest: Table, findings: &mut Findings) -> Option<T> {
    form::read("", sections, Value::Table(rest), findings)
}

/// Takes a section out of a configuration; what is absent, or cannot be read at all, is its default.
pub fn read_section<T: DeserializeOwned + Default>(table: &mut Table, name: &str, findings: &mut Findings) -> T {
    let value = table.remove(name);
    value.and_then(|value| form::read(name, &[], value, findings)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
