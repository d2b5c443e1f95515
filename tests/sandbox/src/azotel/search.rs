//! Finding customers.

use super::Outcome;
use super::ledger::{Ledger, Row, cell};
use crate::soap::{Arguments, Perl};
use crate::xml_simple::Node;

/// Names of a found customer's elements and the columns behind them; the first and last name are cut from `name`.
const FOUND: [(&str, &str); 13] = [
    ("city", "town"),
    ("country", "country"),
    ("county", "county"),
    ("customerid", "id"),
    ("customerstatus", "status"),
    ("email", "email"),
    ("firstname", ""),
    ("lastname", ""),
    ("phone", "phone"),
    ("postcode", "zip"),
    ("state", "state"),
    ("street1", "street"),
    ("street2", "street2"),
];

/// `0`, or the id of the customer with that address.
pub(crate) fn email(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let wanted = arguments.get("email");
    let found = ledger.customers.iter().find(|row| cell(row, "email").eq_ignore_ascii_case(wanted));
    Ok(Perl::text(found.map_or("0", |row| cell(row, "id"))))
}

/// The query's own settings come back beside the customers; `results` counts all that match, not those shown.
pub(crate) fn customers(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let (limit, offset) = (number(arguments, "limit", 20)?, number(arguments, "offset", 0)?);
    let strict = arguments.get("case_sensitive") == "1";
    let order = Some(arguments.get("order")).filter(|order| !order.is_empty()).unwrap_or("customerid");
    let mut found: Vec<&Row> = ledger.customers.iter().filter(|row| matches(row, arguments, strict)).collect();
    found.sort_by_key(|row| {
        let key = value(row, order);
        (key.parse::<u64>().unwrap_or_default(), key)
    });
    let mut nodes = vec![Node::leaf("case_sensitive", if strict { "1" } else { "0" })];
    nodes.extend(found.iter().skip(offset).take(limit).map(|row| node(row)));
    nodes.push(Node::leaf("limit", &limit.to_string()));
    nodes.push(Node::leaf("offset", &offset.to_string()));
    nodes.push(Node::leaf("order", order));
    nodes.push(Node::leaf("results", &found.len().to_string()));
    Ok(Perl::text(Node::branch("customerSearchRoot", nodes).write()))
}

/// A whole id, a part of any other text (inferred).
fn matches(row: &Row, arguments: &Arguments, strict: bool) -> bool {
    let names = FOUND.iter().map(|(name, _)| *name).chain(["nickname", "invoicingid"]);
    names.filter(|name| !arguments.get(name).is_empty()).all(|name| {
        let (has, wanted) = (value(row, name), arguments.get(name));
        match name {
            "customerid" => has == wanted,
            _ if strict => has.contains(wanted),
            _ => has.to_lowercase().contains(&wanted.to_lowercase()),
        }
    })
}

fn value(row: &Row, name: &str) -> String {
    let (first, last) = cell(row, "name").split_once(' ').unwrap_or((cell(row, "name"), ""));
    match name {
        "firstname" => first.to_owned(),
        "lastname" => last.to_owned(),
        _ => {
            let column = FOUND.iter().find(|(element, _)| *element == name).map_or(name, |(_, column)| column);
            cell(row, column).to_owned()
        }
    }
}

fn node(row: &Row) -> Node {
    let nodes = FOUND.iter().map(|(name, _)| Node::leaf(name, &value(row, name))).collect();
    Node::branch("customer", nodes).attribute("id", cell(row, "id"))
}

fn number(arguments: &Arguments, name: &str, default: usize) -> Result<usize, String> {
    match arguments.get(name) {
        "" => Ok(default),
        text => text.parse().map_err(|_| format!("ERROR: {name} must be an integer")),
    }
}
