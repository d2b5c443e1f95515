//! Keeping records: what most functions do.

use std::collections::BTreeMap;

use super::functions::{Function, Work};
use super::ledger::{Ledger, Row, cell, no_such};
use super::told::{Outcome, Told};
use crate::clock;
use crate::perl::{Arguments, Perl};

/// Attributes that are about the call.
pub(crate) const ABOUT_THE_CALL: [&str; 3] = ["api_username", "api_password", "operator"];
/// Columns no function shows (inferred).
const HIDDEN: [&str; 4] = ["customerid", "password", "cc_token", "eft_token"];

pub(crate) fn perform(ledger: &mut Ledger, function: &Function, work: &Work, arguments: &Arguments) -> Outcome {
    match work {
        Work::Nothing => Ok(function.word("")),
        Work::Add(table) => add(ledger, function, table, arguments),
        Work::Change { table, by } => change(ledger, function, (table, by), arguments),
        Work::Remove { table, by } => remove(ledger, function, (table, by), arguments),
        Work::List(table) => {
            let rows = Perl::array(ledger.of(table, arguments.get("customerid")).map(shown));
            Ok(Told::record(function.root(), Perl::hash([(table.as_str(), rows)])))
        }
    }
}

/// A row as a result shows it: its columns, the customer left out (inferred).
pub(crate) fn shown(row: &Row) -> Perl {
    let columns = row.iter().filter(|(column, _)| !HIDDEN.contains(&column.as_str()));
    Perl::hash(columns.map(|(column, text)| (column.as_str(), Perl::text(text))))
}

fn add(ledger: &mut Ledger, function: &Function, table: &str, arguments: &Arguments) -> Outcome {
    let mut row = record(function, arguments);
    check_unique(ledger, function, table, &row, None)?;
    if let Some(column) = &function.stamp {
        row.insert(column.clone(), format!("{}.000000", clock::moment(clock::epoch())));
    }
    let id = ledger.insert(table, row);
    Ok(function.word(&id))
}

fn change(
    ledger: &mut Ledger,
    function: &Function,
    (table, by): (&str, &BTreeMap<String, String>),
    arguments: &Arguments,
) -> Outcome {
    let position = ledger.rows(table).iter().position(|row| is_meant(row, by, arguments));
    let position = position.ok_or_else(|| missing(table, by, arguments))?;
    let mut changes = record(function, arguments);
    changes.retain(|column, _| !by.contains_key(column) || function.columns.values().any(|target| target == column));
    check_unique(ledger, function, table, &changes, Some(position))?;
    let row = &mut ledger.rows_mut(table)[position];
    // Not a column: it says that the resolution goes behind the one there is (document).
    changes.remove("updateresolution");
    if !matches!(arguments.get("updateresolution"), "" | "0") {
        let longer = format!("{}{}", cell(row, "resolution"), arguments.get("resolution"));
        changes.insert("resolution".to_owned(), longer);
    }
    row.extend(changes);
    Ok(function.word(cell(row, "id")))
}

fn remove(
    ledger: &mut Ledger,
    function: &Function,
    (table, by): (&str, &BTreeMap<String, String>),
    arguments: &Arguments,
) -> Outcome {
    let id = ledger.rows(table).iter().find(|row| is_meant(row, by, arguments)).map(|row| cell(row, "id").to_owned());
    let id = id.ok_or_else(|| missing(table, by, arguments))?;
    ledger.remove(table, |row| is_meant(row, by, arguments));
    Ok(function.word(&id))
}

/// The attributes as columns; an array becomes one text.
fn record(function: &Function, arguments: &Arguments) -> Row {
    let given = arguments.iter().filter(|(name, _)| !ABOUT_THE_CALL.contains(name));
    given
        .map(|(name, _)| {
            let column = function.columns.get(name).map_or(name, String::as_str);
            (column.to_owned(), arguments.all(name).join(", "))
        })
        .collect()
}

fn is_meant(row: &Row, by: &BTreeMap<String, String>, arguments: &Arguments) -> bool {
    by.iter().all(|(attribute, column)| cell(row, column) == arguments.get(attribute))
}

fn missing(table: &str, by: &BTreeMap<String, String>, arguments: &Arguments) -> String {
    let keys: Vec<&str> = by.keys().map(|attribute| arguments.get(attribute)).collect();
    no_such(table, &keys.join(" "))
}

/// The document words it for community codes: "code already exist".
fn check_unique(
    ledger: &Ledger,
    function: &Function,
    table: &str,
    row: &Row,
    own: Option<usize>,
) -> Result<(), String> {
    let Some(column) = function.unique.first().filter(|column| row.contains_key(*column)) else {
        return Ok(());
    };
    let mut others = ledger.rows(table).iter().enumerate().filter(|(position, _)| Some(*position) != own);
    let is_same = |other: &Row| function.unique.iter().all(|column| cell(other, column) == cell(row, column));
    if others.any(|(_, other)| is_same(other)) { Err(format!("{column} already exist")) } else { Ok(()) }
}
