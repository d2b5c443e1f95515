//! Invoices and their payment.

use super::functions::Function;
use super::ledger::{Ledger, cell, no_such, row};
use super::told::Outcome;
use crate::clock;
use crate::perl::Arguments;

/// The samples' invoices end below this number.
const FIRST_INVOICE: usize = 1001;

/// One invoice for each customer that has subscriptions (inferred); everybody, unless a customer is named (document).
pub(crate) fn generate(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    if !["", "new", "recurring"].contains(&arguments.get("type")) {
        return Err("ERROR: type must be new or recurring".to_owned());
    }
    let customers: Vec<String> = ledger.rows("customer").iter().map(|row| cell(row, "id").to_owned()).collect();
    for customer in customers.iter().filter(|id| arguments.admits("customerid", id)) {
        let prices: Vec<i64> = ledger
            .of("subscription", customer)
            .map(|row| cents(cell(row, "price")) * cell(row, "quantity").parse::<i64>().unwrap_or(1))
            .collect();
        if !prices.is_empty() {
            issue(ledger, customer, &money(prices.iter().sum()));
        }
    }
    Ok(function.word(""))
}

/// The attribute's unit is not documented; it is read as the invoice's own.
pub(crate) fn pay(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let number = arguments.get("invoiceNo");
    let mut invoices = ledger.rows_mut("invoices").iter_mut();
    let invoice = invoices.find(|row| cell(row, "invoiceNo") == number).ok_or_else(|| no_such("invoice", number))?;
    let balance = cents(cell(invoice, "balance")) - cents(arguments.get("amount"));
    let today = clock::day(clock::epoch());
    let date = Some(arguments.get("paymentDate")).filter(|date| !date.is_empty()).unwrap_or(&today);
    invoice.extend(row([
        ("balance", &*money(balance)),
        ("status", if balance > 0 { "unpaid" } else { "paid" }),
        ("paymentDate", date),
        ("paymentType", arguments.get("paymentType")),
        ("narrative", arguments.get("narrative")),
    ]));
    Ok(function.word(number))
}

fn issue(ledger: &mut Ledger, customer: &str, amount: &str) {
    let number = (FIRST_INVOICE + ledger.rows("invoices").len()).to_string();
    let date = clock::day(clock::epoch());
    let invoice = row([
        ("invoiceNo", &*number),
        ("customerid", customer),
        ("date", &date),
        ("amount", amount),
        ("balance", amount),
        ("status", "unpaid"),
    ]);
    ledger.insert("invoices", invoice);
}

/// `25`, `25.5` and `25.50` in cents; what is no amount is nothing.
pub(crate) fn cents(amount: &str) -> i64 {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{part:0<2.2}").parse().unwrap_or_default()
}

pub(crate) fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_counted_in_cents() {
        for (text, count, written) in [("25", 2500, "25.00"), ("25.5", 2550, "25.50"), ("-0.05", -5, "-0.05")] {
            assert_eq!((cents(text), money(count)), (count, written.to_owned()));
        }
    }
}
