//! The 72 functions: what each demands, and what those do that only keep records.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ledger::{Ledger, no_such};
use super::told::Told;
use crate::perl::Arguments;

const SEED: &str = include_str!("../../seed/azotel-functions.json");

/// What the document calls a custom table's column, whose real name is a number.
pub(crate) const COLUMN: &str = "columnid1";

/// A function as SIMPLer API 2011-2Q declares it. `required` is the document's; where the document contradicts itself,
/// `either` names attributes of which one is enough.
#[derive(Deserialize)]
pub(crate) struct Function {
    pub(crate) name: String,
    required: Vec<String>,
    #[serde(default)]
    either: Vec<String>,
    /// Whether an attribute with a number for its name is required: the document's `columnid1`.
    #[serde(default)]
    numbered: bool,
    /// Attributes by the form the document gives them.
    #[serde(default)]
    forms: BTreeMap<String, Vec<String>>,
    /// Attributes that are ids, and the tables that must have them.
    #[serde(default)]
    refers: BTreeMap<String, String>,
    /// Attributes whose column has another name.
    #[serde(default)]
    pub(crate) columns: BTreeMap<String, String>,
    /// Columns that no two rows may share.
    #[serde(default)]
    pub(crate) unique: Vec<String>,
    /// Column that gets the present moment.
    pub(crate) stamp: Option<String>,
    /// The form of success; `#` stands for the id.
    #[serde(default = "ok")]
    answer: String,
    /// Verb and path of the resource form, where the document shows one.
    resource: Option<String>,
    /// `None` for a function that has a program of its own.
    pub(crate) work: Option<Work>,
}

/// The work of a function that only keeps records.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// Work whose effect no function shows.
    Nothing,
    Add(String),
    Change {
        table: String,
        by: BTreeMap<String, String>,
    },
    Remove {
        table: String,
        by: BTreeMap<String, String>,
    },
    /// Everything of a customer in one table.
    List(String),
}

/// All functions by name.
pub(crate) struct Functions(BTreeMap<String, Function>);

impl Functions {
    pub(crate) fn new() -> Self {
        let list: Vec<Function> = serde_json::from_str(SEED).expect("the seed is part of the program");
        Self(list.into_iter().map(|function| (function.name.clone(), function)).collect())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Function> {
        self.0.get(name)
    }

    /// The function behind a resource form, `PUT /customer`.
    pub(crate) fn behind(&self, verb_and_path: &str) -> Option<&Function> {
        self.0.values().find(|function| function.resource.as_deref() == Some(verb_and_path))
    }
}

impl Function {
    pub(crate) fn word(&self, id: &str) -> Told {
        Told::word(self.answer.replace('#', id))
    }

    /// The root of an XML result. Two samples name it after the function (`customerStatusesRoot`) and after the
    /// records (`Equipment`), two copy `customerSearchRoot`; for the others the first is inferred.
    pub(crate) fn root(&self) -> String {
        let noun = self.name.strip_prefix("get").or_else(|| self.name.strip_prefix("list")).unwrap_or(&self.name);
        format!("{}{}Root", noun[..1].to_lowercase(), &noun[1..])
    }

    /// Refuses what lacks something; the wordings are inferred.
    pub(crate) fn admit(&self, ledger: &Ledger, arguments: &Arguments) -> Result<(), String> {
        let is_missing = |name: &&String| arguments.get(name).is_empty();
        let choice = self.either.first().filter(|_| self.either.iter().all(|name| is_missing(&name)));
        if let Some(name) = self.required.iter().find(is_missing).or(choice) {
            return Err(missing_attribute(name));
        }
        if self.numbered && !arguments.iter().any(|(name, _)| is_number(name)) {
            return Err(missing_attribute(COLUMN));
        }
        for (form, names) in &self.forms {
            let is_odd = |name: &&String| !arguments.get(name).is_empty() && !has_form(arguments.get(name), form);
            if let Some(name) = names.iter().find(is_odd) {
                return Err(format!("ERROR: invalid value for {name}"));
            }
        }
        let dangling = self.refers.iter().find(|(name, table)| {
            let id = arguments.get(name);
            !id.is_empty() && ledger.find(table, "id", id).is_none()
        });
        dangling.map_or(Ok(()), |(name, table)| Err(no_such(table, arguments.get(name))))
    }
}

/// Whether a text has one of the forms between the bars: `d` is a digit, `*` anything.
fn has_form(text: &str, forms: &str) -> bool {
    forms.split('|').any(|form| match form.split_once('*') {
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
        None => {
            let fits = |(letter, sign): (u8, u8)| if sign == b'd' { letter.is_ascii_digit() } else { letter == sign };
            text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
        }
    })
}

/// Whether a text is digits.
pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(crate) fn missing_attribute(name: &str) -> String {
    format!("ERROR: missing required attribute {name}")
}

fn ok() -> String {
    "OK".to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::programs;
    use super::*;

    #[test]
    fn every_function_has_a_work_or_a_program() {
        let functions = Functions::new();
        assert_eq!(functions.0.len(), 72);
        for function in functions.0.values() {
            assert_ne!(function.work.is_some(), programs::find(&function.name).is_some(), "{}", function.name);
        }
    }

    #[test]
    fn a_root_is_named_after_the_function() {
        let functions = Functions::new();
        assert_eq!(functions.find("getCustomerStatuses").unwrap().root(), "customerStatusesRoot");
        assert_eq!(functions.behind("PUT /customer").unwrap().name, "modifyCustomer");
    }

    #[test]
    fn forms_are_the_documents() {
        for (text, form) in [("09/22/2018", "dd/dd/dddd"), ("-1", "-1|1"), ("{\"maintenance\"}", "{*}"), ("f", "t|f")] {
            assert!(has_form(text, form), "{text} {form}");
        }
        for (text, form) in [("2018-09-22", "dd/dd/dddd"), ("0", "t|f"), ("{", "{*}"), ("42", "dddd")] {
            assert!(!has_form(text, form), "{text} {form}");
        }
    }
}
