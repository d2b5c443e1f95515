//! Products, who is subscribed to them, and the allowances of traffic.

use super::customers::iso;
use super::functions::Function;
use super::ledger::{Ledger, Row, cell, no_such, select};
use super::register::{ABOUT_THE_CALL, shown};
use super::told::{Outcome, Told};
use crate::clock;
use crate::perl::{Arguments, Perl};

const DATES: [&str; 2] = ["valid_from", "valid_to"];
const ALLOWANCE: [&str; 7] = ["timestamp", "invoiceid", "used", "customerid", "method", "id", "traffic_limit"];

/// What the call does not say comes from the product.
pub(crate) fn add(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let product = ledger.find("product", "id", arguments.get("productid"));
    let product = product.ok_or_else(|| no_such("product", arguments.get("productid")))?;
    let mut subscription = Row::from([
        ("productdescription".to_owned(), cell(product, "name").to_owned()),
        ("quantity".to_owned(), "1".to_owned()),
    ]);
    for column in ["price", "description", "type"] {
        subscription.insert(column.to_owned(), cell(product, column).to_owned());
    }
    for (name, text) in arguments.iter().filter(|(name, _)| !ABOUT_THE_CALL.contains(name)) {
        let text = if DATES.contains(&name) { iso(text) } else { text.to_owned() };
        subscription.insert(name.to_owned(), text);
    }
    let id = ledger.insert("subscription", subscription);
    Ok(function.word(&id))
}

/// The product of `deleteActiveProductId` goes from the same customer too (inferred).
pub(crate) fn delete(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let (id, product) = (arguments.get("subscriptionid"), arguments.get("deleteActiveProductId"));
    let subscription = ledger.find("subscription", "id", id).ok_or_else(|| no_such("subscription", id))?;
    let customer = cell(subscription, "customerid").to_owned();
    let today = clock::day(clock::epoch());
    ledger.remove("subscription", |row| {
        let is_product = cell(row, "productid") == product && cell(row, "customerid") == customer;
        cell(row, "id") == id || (is_product && is_active(row, &today))
    });
    Ok(function.word(id))
}

/// The form is inferred.
pub(crate) fn active(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let today = clock::day(clock::epoch());
    let rows = ledger.of("subscription", arguments.get("customerid")).filter(|row| is_active(row, &today));
    Ok(Told::record(function.root(), Perl::hash([("subscription", Perl::array(rows.map(shown)))])))
}

/// All of them, or those whose ids are given; the form is inferred.
pub(crate) fn products(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let ids = arguments.all("productid");
    let wanted = |row: &&Row| ids.is_empty() || ids.iter().any(|id| id == cell(row, "id"));
    let rows = ledger.rows("product").iter().filter(wanted).map(shown);
    Ok(Told::record(function.root(), Perl::hash([("product", Perl::array(rows))])))
}

/// `cutomerid` is the document's spelling, and so is the key of the result, copied from getInterfaceData.
pub(crate) fn overage(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let (from, to) = (arguments.get("date_from"), arguments.get("date_to"));
    let passes = |row: &&Row| {
        let day = cell(row, "timestamp").get(..10).unwrap_or_default();
        arguments.admits("cutomerid", cell(row, "customerid")) && from <= day && (to.is_empty() || day <= to)
    };
    let rows = ledger.rows("overageallowance").iter().filter(passes).map(|row| select(row, &ALLOWANCE));
    Ok(Told::record(function.root(), Perl::hash([("interfaces", Perl::array(rows))])))
}

fn is_active(subscription: &Row, today: &str) -> bool {
    let end = cell(subscription, "valid_to");
    end.is_empty() || end >= today
}
