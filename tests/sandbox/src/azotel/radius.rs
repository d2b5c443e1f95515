//! A customer's RADIUS rows. The document shows the JSON result only; over SOAP the same structure comes as a hash
//! (inferred), and a row is known by its user name and attribute, for no attribute is documented that names it.

use super::Outcome;
use super::ledger::{Ledger, Row, belongs, cell};
use crate::soap::{Arguments, Perl};

const TABLES: [&str; 4] = ["radcheck", "radreply", "usergroup", "radusergroup"];
const COLUMNS: [&str; 6] = ["attribute", "value", "customerid", "id", "op", "username"];

pub(crate) fn customer_radius(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let (table, action) = (arguments.get("table"), arguments.get("action"));
    if !TABLES.contains(&table) {
        return Err(format!("ERROR: unknown table {table}"));
    }
    ledger.customer(arguments.get("customerid"))?;
    let (key, result) = match action {
        "list" => ("results", list(ledger, arguments)),
        "add" => ("result", add(ledger, arguments)),
        "modify" => ("result", modify(ledger, arguments)?),
        "delete" => ("result", delete(ledger, arguments)?),
        _ => return Err(format!("ERROR: unknown action {action}")),
    };
    Ok(Perl::Hash(vec![("table", Perl::text(table)), ("action", Perl::text(action)), (key, result)]))
}

fn list(ledger: &Ledger, arguments: &Arguments) -> Perl {
    let wanted =
        |row: &&Row| concerns(row, arguments) && ["", cell(row, "username")].contains(&arguments.get("username"));
    let hash = |row: &Row| COLUMNS.iter().map(|name| (*name, nullable(row, name))).collect();
    Perl::Array(ledger.radius.iter().filter(wanted).map(|row| Perl::Hash(hash(row))).collect())
}

/// A column nobody filled is SQL's NULL, Perl's `undef`.
fn nullable(row: &Row, column: &str) -> Perl {
    row.get(column).map_or(Perl::Undef, Perl::text)
}

fn add(ledger: &mut Ledger, arguments: &Arguments) -> Perl {
    let names = ["table", "customerid", "username", "attribute", "op", "value"];
    let given = names.iter().filter(|name| !arguments.get(name).is_empty());
    let mut row: Row = given.map(|name| ((*name).to_owned(), arguments.get(name).to_owned())).collect();
    row.insert("id".to_owned(), ledger.next_number());
    ledger.radius.push(row);
    Perl::text("OK")
}

fn modify(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let row = ledger.radius.iter_mut().find(|row| is_named(row, arguments)).ok_or_else(no_row)?;
    for name in ["op", "value"] {
        if !arguments.get(name).is_empty() {
            row.insert(name.to_owned(), arguments.get(name).to_owned());
        }
    }
    Ok(Perl::text("OK"))
}

fn delete(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let before = ledger.radius.len();
    ledger.radius.retain(|row| !is_named(row, arguments));
    if ledger.radius.len() == before { Err(no_row()) } else { Ok(Perl::text("OK")) }
}

fn concerns(row: &Row, arguments: &Arguments) -> bool {
    belongs(row, arguments.get("customerid")) && cell(row, "table") == arguments.get("table")
}

fn is_named(row: &Row, arguments: &Arguments) -> bool {
    concerns(row, arguments) && ["username", "attribute"].iter().all(|name| cell(row, name) == arguments.get(name))
}

fn no_row() -> String {
    "ERROR: no such RADIUS entry".to_owned()
}
