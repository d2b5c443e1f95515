//! A customer in one record, with what hangs on it where that is asked for.

use super::functions::Function;
use super::invoicing::{cents, money};
use super::ledger::{Ledger, Row, cell, select};
use super::register::shown;
use super::told::{Outcome, Told};
use crate::perl::{Arguments, Perl};

/// Columns of a customer in the document's sample.
const SHOWN: [&str; 50] = [
    "accountsemail",
    "country",
    "county",
    "customer_tracking",
    "customerstatus1",
    "customerstatus2",
    "customerstatus3",
    "customerstatus4",
    "customerstatus5",
    "email",
    "fax",
    "frequency",
    "gpsx",
    "gpsy",
    "id",
    "init_date",
    "installcounty",
    "installdate",
    "installstate",
    "installstreet",
    "installstreet2",
    "installtown",
    "installzip",
    "invoicingid",
    "master_agent",
    "master_agent_id",
    "name",
    "nickname",
    "note",
    "paymentmethod",
    "phone",
    "regional_sales_manager",
    "regional_sales_manager_id",
    "salesman",
    "salesman_id",
    "sendmethod",
    "startdate",
    "state",
    "status",
    "street",
    "street2",
    "supportemail",
    "town",
    "type",
    "value_added_reseller",
    "value_added_reseller_id",
    "vat_exemption",
    "website",
    "wibnumber",
    "zip",
];

/// Attributes that ask for more, each with the table of its name.
const SECTIONS: [&str; 7] = ["cpe", "creditcard", "eft", "invoices", "ip", "maintenance", "subscription"];
const USAGE: [&str; 5] = ["username", "acctstarttime", "acctsessiontime", "acctinputoctets", "acctoutputoctets"];

/// The document shows the customer's columns, as JSON; XML::Simple's form of them and the sections are inferred.
pub(crate) fn get(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let id = arguments.get("customerid");
    let customer = ledger.customer(id)?;
    let columns = SHOWN.iter().map(|column| (*column, Perl::text(cell(customer, column))));
    let mut record = vec![("customer", Perl::hash(columns))];
    for table in SECTIONS.into_iter().filter(|name| arguments.get(name) == "1") {
        record.push((table, Perl::array(ledger.of(table, id).map(shown))));
    }
    if arguments.get("usage") == "1" {
        record.push(("usage", Perl::array(ledger.of("radiussession", id).map(|row| select(row, &USAGE)))));
    }
    if arguments.get("statement") == "1" {
        record.push(("statement", statement(ledger, id)));
    }
    if arguments.get("customFields") == "1" {
        record.push(("customFields", custom_fields(customer)));
    }
    Ok(Told::record(function.root(), Perl::hash(record)))
}

fn custom_fields(customer: &Row) -> Perl {
    let fields = customer.iter().filter(|(column, _)| column.starts_with("custom_field_"));
    Perl::hash(fields.map(|(column, text)| (column.as_str(), Perl::text(text))))
}

fn statement(ledger: &Ledger, customer: &str) -> Perl {
    let balance = ledger.of("invoices", customer).map(|invoice| cents(cell(invoice, "balance"))).sum();
    Perl::hash([("balance", Perl::Text(money(balance)))])
}
