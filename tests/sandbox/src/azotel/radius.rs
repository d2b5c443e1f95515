//! RADIUS: a customer's user names, the rows of the server's tables, sessions.

use super::functions::Function;
use super::ledger::{Ledger, Row, belongs, cell, no_such, row, select};
use super::told::{Outcome, Told};
use crate::perl::{Arguments, Perl};

const TABLES: [&str; 4] = ["radcheck", "radreply", "usergroup", "radusergroup"];
const USERNAME: [&str; 6] =
    ["priority", "password", "customerid", "exclude_from_auto_group_from_bucket", "id", "username"];
const SESSION: [&str; 19] = [
    "acctoutputoctets",
    "acctsessiontime",
    "acctstarttime_display",
    "acctinputoctets",
    "acctsessionid",
    "nasipaddress",
    "acctsessiontime_display",
    "acctstoptime",
    "framedipaddress",
    "framedipv6prefix",
    "callingstationid",
    "radacctid",
    "acctinputoctets_display",
    "username",
    "acctstarttime",
    "acctsessionid_display",
    "customerid",
    "acctstoptime_display",
    "acctoutputoctets_display",
];
const COLUMNS: [&str; 6] = ["attribute", "value", "customerid", "id", "op", "username"];

/// The document shows JSON only; over SOAP the same structure comes as a hash (inferred), and a row is known by its
/// user name and attribute, for no attribute is documented that names it.
pub(crate) fn customer_radius(ledger: &mut Ledger, _: &Function, arguments: &Arguments) -> Outcome {
    let (table, action) = (arguments.get("table"), arguments.get("action"));
    if !TABLES.contains(&table) {
        return Err(format!("ERROR: unknown table {table}"));
    }
    let (key, result) = match action {
        "list" => ("results", list(ledger, arguments)),
        "add" => ("result", add(ledger, arguments)),
        "modify" => ("result", modify(ledger, arguments)?),
        "delete" => ("result", delete(ledger, arguments)?),
        _ => return Err(format!("ERROR: unknown action {action}")),
    };
    Ok(Told::Plain(Perl::hash([("table", Perl::text(table)), ("action", Perl::text(action)), (key, result)])))
}

/// `existing_radius_username` stands instead of the customer's id (document).
pub(crate) fn add_username(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let username = arguments.get("radius_username");
    let customer = match (arguments.get("customerid"), arguments.get("existing_radius_username")) {
        ("", existing) => ledger
            .find("radiususername", "username", existing)
            .map(|row| cell(row, "customerid").to_owned())
            .ok_or_else(|| no_such("RADIUS username", existing))?,
        (id, _) => id.to_owned(),
    };
    if ledger.find("radiususername", "username", username).is_some() {
        return Err("radius_username already exist".to_owned());
    }
    let mut account = row([("customerid", &*customer), ("username", username)]);
    for column in ["password", "priority"] {
        let attribute = format!("radius_{column}");
        if arguments.has(&attribute) {
            account.insert(column.to_owned(), arguments.get(&attribute).to_owned());
        }
    }
    let id = ledger.insert("radiususername", account);
    Ok(function.word(&id))
}

/// Every attribute narrows the list; `results` counts it, in two brackets as in the sample.
pub(crate) fn usernames(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let passes = |row: &&Row| {
        let filters = ["customerid", "username", "password", "priority"];
        filters.iter().all(|filter| arguments.admits(filter, cell(row, filter)))
            && arguments.admits("existing_radius_username", cell(row, "username"))
    };
    let found: Vec<Perl> =
        ledger.rows("radiususername").iter().filter(passes).map(|row| select(row, &USERNAME)).collect();
    let results = Perl::array([Perl::array([Perl::Text(found.len().to_string())])]);
    Ok(Told::record(function.root(), Perl::hash([("radius_usernames", Perl::Array(found)), ("results", results)])))
}

/// `current` is a number and not in every row, as in the sample; the form over SOAP is inferred.
pub(crate) fn sessions(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let filters = ["customerid", "username"];
    let passes = |row: &&Row| filters.iter().all(|filter| arguments.admits(filter, cell(row, filter)));
    let rows = ledger.rows("radiussession").iter().filter(passes).map(|row| match select(row, &SESSION) {
        Perl::Hash(mut columns) if row.contains_key("current") => {
            columns.push(("current".to_owned(), Perl::Number(1)));
            Perl::Hash(columns)
        }
        columns => columns,
    });
    Ok(Told::record(function.root(), Perl::hash([("radius_sessions", Perl::array(rows))])))
}

fn list(ledger: &Ledger, arguments: &Arguments) -> Perl {
    let wanted = |row: &&Row| concerns(row, arguments) && arguments.admits("username", cell(row, "username"));
    Perl::array(ledger.rows("radius").iter().filter(wanted).map(|row| select(row, &COLUMNS)))
}

fn add(ledger: &mut Ledger, arguments: &Arguments) -> Perl {
    let names = ["table", "customerid", "username", "attribute", "op", "value"];
    let given = names.iter().filter(|name| !arguments.get(name).is_empty());
    let row = given.map(|name| ((*name).to_owned(), arguments.get(name).to_owned())).collect();
    ledger.insert("radius", row);
    Perl::text("OK")
}

fn modify(ledger: &mut Ledger, arguments: &Arguments) -> Result<Perl, String> {
    let mut rows = ledger.rows_mut("radius").iter_mut();
    let row = rows.find(|row| is_named(row, arguments)).ok_or_else(no_row)?;
    for name in ["op", "value"] {
        if !arguments.get(name).is_empty() {
            row.insert(name.to_owned(), arguments.get(name).to_owned());
        }
    }
    Ok(Perl::text("OK"))
}

fn delete(ledger: &mut Ledger, arguments: &Arguments) -> Result<Perl, String> {
    match ledger.remove("radius", |row| is_named(row, arguments)) {
        0 => Err(no_row()),
        _ => Ok(Perl::text("OK")),
    }
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
