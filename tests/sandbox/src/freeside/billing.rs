//! What a customer owes and pays; only for customers of the reseller.

use super::account::{self, CUSTOM_VIEW, Refusal};
use super::arguments::Arguments;
use super::office::{Office, Record, Status, error, record};
use crate::xmlrpc::Value;

/// What a package costs each month.
pub(crate) const PRICE: &str = "19.99";
const COLUMNS: [&str; 12] =
    ["first", "last", "company", "daytime", "night", "mobile", "fax", "address1", "city", "state", "zip", "country"];

pub(crate) fn customer_info_short(office: &mut Office, arguments: &Arguments) -> Record {
    let (number, customer) = match account::customer(office, arguments) {
        Ok(found) => found,
        Err(refusal) => return named(&refusal),
    };
    let mut info = record([
        ("error", "".into()),
        ("custnum", number.into()),
        ("display_custnum", number.into()),
        ("max_invnum", "12".into()),
        ("name", format!("{} {}", customer.column("first"), customer.column("last")).into()),
        ("balance", PRICE.into()),
        ("balance_pretty", format!("${PRICE}").into()),
        ("next_bill_date", "".into()),
        ("next_bill_date_pretty", "(none)".into()),
        ("invoicing_list", customer.column("invoicing_list").into()),
        ("postal_invoicing", "".into()),
        ("small_custview", CUSTOM_VIEW.into()),
        ("countrydefault", "US".into()),
    ]);
    info.extend(COLUMNS.map(|name| (name.to_owned(), customer.column(name).into())));
    info
}

/// Its refusal bears another method's name, as in Freeside.
pub(crate) fn customer_recurring(office: &mut Office, arguments: &Arguments) -> Record {
    let number = match account::customer(office, arguments) {
        Ok((number, _)) => number,
        Err(refusal) => return named(&refusal),
    };
    let active = |status| status == Status::Active;
    let count = office.packages.values().filter(|it| it.customer == number && active(it.status)).count();
    let charges: Vec<Value> = (count > 0)
        .then(|| {
            let cents = 1999 * count;
            let amount = format!("{}.{:02}", cents / 100, cents % 100);
            Value::Struct(record([("freq", "1".into()), ("freq_pretty", "monthly".into()), ("amount", amount.into())]))
        })
        .into_iter()
        .collect();
    record([("error", "".into()), ("custnum", number.into()), ("display_recurring", Value::Array(charges))])
}

/// Success has no `error` key.
pub(crate) fn billing_history(office: &mut Office, arguments: &Arguments) -> Record {
    if let Err(refusal) = account::customer(office, arguments) {
        return error(refusal.text());
    }
    let invoice = record([
        ("type", "Invoice".into()),
        ("description", "Invoice #12".into()),
        ("amount", PRICE.into()),
        ("amount_pretty", format!("${PRICE}").into()),
        ("charged", PRICE.into()),
        ("balance", PRICE.into()),
        ("balance_pretty", format!("${PRICE}").into()),
        ("date", "1288594800".into()),
        ("date_pretty", "11/01/10".into()),
    ]);
    record([
        ("balance", PRICE.into()),
        ("balance_pretty", format!("${PRICE}").into()),
        ("next_bill_date", "".into()),
        ("next_bill_date_pretty", "(none)".into()),
        ("history", Value::Array(vec![Value::Struct(invoice)])),
        ("money_char", "$".into()),
    ])
}

fn named(refusal: &Refusal) -> Record {
    match refusal {
        Refusal::Session(text) => error(*text),
        Refusal::Customer(given) => error(format!("customer_info_short: unknown custnum {given}")),
    }
}
