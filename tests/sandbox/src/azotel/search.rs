//! Finding customers, and the community codes, whose result has the same root.

use super::functions::Function;
use super::ledger::{Ledger, Row, cell};
use super::told::{ATTRIBUTES, Outcome, Told};
use crate::perl::{Arguments, Perl};
use crate::xml_simple;

/// The root in the samples of searchCustomer, listCommunityCode and generateIP.
pub(crate) const ROOT: &str = "customerSearchRoot";

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

/// `0`, or the id of the customer with that address; the zero is the program's own.
pub(crate) fn email(ledger: &mut Ledger, _: &Function, arguments: &Arguments) -> Outcome {
    let wanted = arguments.get("email");
    let found = ledger.rows("customer").iter().find(|row| cell(row, "email").eq_ignore_ascii_case(wanted));
    Ok(Told::Plain(found.map_or(Perl::Number(0), |row| Perl::text(cell(row, "id")))))
}

/// The query's own settings come back beside the customers; `results` counts all that match, not those shown.
pub(crate) fn customers(ledger: &mut Ledger, _: &Function, arguments: &Arguments) -> Outcome {
    let (limit, offset) = (number(arguments, "limit", 20)?, number(arguments, "offset", 0)?);
    let strict = arguments.get("case_sensitive") == "1";
    let order = Some(arguments.get("order")).filter(|order| !order.is_empty()).unwrap_or("customerid");
    let mut found: Vec<&Row> = ledger.rows("customer").iter().filter(|row| matches(row, arguments, strict)).collect();
    found.sort_by_key(|row| {
        let key = value(row, order);
        (key.parse::<u64>().unwrap_or_default(), key)
    });
    let settings = [
        ("case_sensitive", if strict { "1" } else { "0" }.to_owned()),
        ("limit", limit.to_string()),
        ("offset", offset.to_string()),
        ("order", order.to_owned()),
        ("results", found.len().to_string()),
    ];
    let shown: Vec<&Row> = found.into_iter().skip(offset).take(limit).collect();
    let result = |leaf: fn(String) -> Perl| {
        let customers = Perl::array(shown.iter().map(|row| customer(row, leaf)));
        let settings = settings.iter().map(|(name, text)| (*name, leaf(text.clone())));
        Perl::hash(settings.chain([("customer", customers)]))
    };
    // In the sample the id alone is an attribute: every other leaf is a list of one. JSON's form is inferred.
    let soap = Perl::Text(xml_simple::write(ROOT, &result(|text| Perl::array([Perl::Text(text)])), ATTRIBUTES));
    Ok(Told::Pair { soap, rest: result(Perl::Text) })
}

/// Newest first, as in the sample.
pub(crate) fn community_codes(ledger: &mut Ledger, _: &Function, _: &Arguments) -> Outcome {
    let rows = ledger.rows("communitycode");
    let codes = Perl::array(rows.iter().rev().map(|row| Perl::text(cell(row, "code"))));
    let results = Perl::Text(rows.len().to_string());
    Ok(Told::record(ROOT, Perl::hash([("code", codes), ("results", results)])))
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

fn customer(row: &Row, leaf: fn(String) -> Perl) -> Perl {
    let columns = FOUND.iter().map(|(name, _)| (*name, leaf(value(row, name))));
    Perl::hash(columns.chain([("id", Perl::text(cell(row, "id")))]))
}

fn number(arguments: &Arguments, name: &str, default: usize) -> Result<usize, String> {
    match arguments.get(name) {
        "" => Ok(default),
        text => text.parse().map_err(|_| format!("ERROR: {name} must be an integer")),
    }
}
