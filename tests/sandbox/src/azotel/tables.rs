//! Custom tables: columns have numbers for names, and so have the attributes that fill them.
//!
//! `tablename` and `rowid` are in the document's examples, not in its lists of attributes; the lists' `columnid1` and
//! its like stand for the numbers.

use super::functions::{self, Function, is_number, missing_attribute};
use super::ledger::{Ledger, Row, belongs, cell, select};
use super::told::{Outcome, Told, UNFOLDED};
use crate::perl::{Arguments, Perl};

const COLUMN: [&str; 10] =
    ["locked", "options", "note", "availability", "length", "default_value", "mandatory", "label", "type", "id"];

/// The columns of every table, rows only where there are some; the form over SOAP is inferred.
pub(crate) fn list(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let passes = |row: &&Row| {
        let (column, value) = (arguments.get("columnid"), arguments.get("value"));
        let has_value =
            value.is_empty() || cells(row).any(|(name, text)| text == value && ["", name].contains(&column));
        arguments.admits("customerid", cell(row, "customerid")) && has_value
    };
    let rows: Vec<&Row> = ledger.rows("customrow").iter().filter(passes).collect();
    let mut names: Vec<&str> = ledger.rows("customcolumn").iter().map(|row| cell(row, "tablename")).collect();
    names.dedup();
    let data = Perl::hash(names.iter().map(|name| (*name, table(ledger, name, &rows))));
    Ok(Told::Record { root: function.root(), style: UNFOLDED, data })
}

pub(crate) fn add(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let values = values(ledger, arguments)?;
    let table = table_of(ledger, arguments)?;
    let used = ledger.rows("customrow").iter().filter(|row| cell(row, "tablename") == table);
    // A table counts its own rows, as the sample's small numbers suggest.
    let id = used.filter_map(|row| cell(row, "rowid").parse::<u32>().ok()).max().unwrap_or_default() + 1;
    let mut row = values;
    row.insert("tablename".to_owned(), table);
    row.insert("customerid".to_owned(), arguments.get("customerid").to_owned());
    row.insert("rowid".to_owned(), id.to_string());
    ledger.insert("customrow", row);
    Ok(function.word(&id.to_string()))
}

pub(crate) fn modify(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let values = values(ledger, arguments)?;
    let table = table_of(ledger, arguments)?;
    if arguments.get("rowid").is_empty() {
        return Err(missing_attribute("rowid"));
    }
    let mut rows = ledger.rows_mut("customrow").iter_mut();
    let row = rows.find(|row| cell(row, "tablename") == table && is_meant(row, arguments)).ok_or_else(no_row)?;
    row.extend(values);
    Ok(function.word(""))
}

/// By `rowid` as in the example, or by the text of columns as the list of attributes has it.
pub(crate) fn delete(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let wanted = match arguments.get("rowid") {
        "" => values(ledger, arguments)?,
        _ => Row::new(),
    };
    let removed = ledger.remove("customrow", |row| {
        let is_table = arguments.admits("tablename", cell(row, "tablename"));
        is_table && is_meant(row, arguments) && wanted.iter().all(|(column, text)| cell(row, column) == text)
    });
    if removed == 0 { Err(no_row()) } else { Ok(function.word("")) }
}

fn table(ledger: &Ledger, name: &str, rows: &[&Row]) -> Perl {
    let columns = ledger.rows("customcolumn").iter().filter(|row| cell(row, "tablename") == name);
    let columns = Perl::hash(columns.map(|row| (cell(row, "id"), select(row, &COLUMN))));
    let rows: Vec<&&Row> = rows.iter().filter(|row| cell(row, "tablename") == name).collect();
    let mut customers: Vec<&str> = rows.iter().map(|row| cell(row, "customerid")).collect();
    customers.sort_unstable();
    customers.dedup();
    let of = |customer: &str| {
        let own = rows.iter().filter(|row| belongs(row, customer));
        Perl::hash(
            own.map(|row| (cell(row, "rowid"), Perl::hash(cells(row).map(|(name, text)| (name, Perl::text(text)))))),
        )
    };
    let by_customer = Perl::hash(customers.iter().map(|customer| (*customer, of(customer))));
    let mut parts = vec![("columns", columns)];
    if !customers.is_empty() {
        parts.push(("rows_per_customerid", by_customer));
    }
    Perl::hash(parts)
}

/// The named table, or the one that has the first column given.
fn table_of(ledger: &Ledger, arguments: &Arguments) -> Result<String, String> {
    let named = arguments.get("tablename");
    let first = arguments.iter().find(|(name, _)| is_number(name)).map(|(name, _)| name).unwrap_or_default();
    let mut columns = ledger.rows("customcolumn").iter();
    let column =
        columns.find(|row| if named.is_empty() { cell(row, "id") == first } else { cell(row, "tablename") == named });
    column.map(|row| cell(row, "tablename").to_owned()).ok_or_else(|| format!("ERROR: unknown table {named}"))
}

/// The attributes that are columns.
fn values(ledger: &Ledger, arguments: &Arguments) -> Result<Row, String> {
    let given: Row = arguments
        .iter()
        .filter(|(name, _)| is_number(name))
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    if given.is_empty() {
        return Err(missing_attribute(functions::COLUMN));
    }
    match given.keys().find(|name| ledger.find("customcolumn", "id", name).is_none()) {
        Some(name) => Err(format!("ERROR: unknown column {name}")),
        None => Ok(given),
    }
}

fn cells(row: &Row) -> impl Iterator<Item = (&str, &str)> {
    row.iter().map(|(name, text)| (name.as_str(), text.as_str())).filter(|(name, _)| is_number(name))
}

fn is_meant(row: &Row, arguments: &Arguments) -> bool {
    belongs(row, arguments.get("customerid")) && arguments.admits("rowid", cell(row, "rowid"))
}

fn no_row() -> String {
    "ERROR: no such row".to_owned()
}
