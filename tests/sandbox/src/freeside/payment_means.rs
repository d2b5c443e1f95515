//! Cards and bank accounts of customers; whose the customer is does not matter.

use super::arguments::Arguments;
use super::drawers::Row;
use super::office::{Office, Record, error, record};
use super::payment;
use crate::xmlrpc::Value;

const SHOWN: [&str; 7] = ["weight", "payby", "paymask", "paydate", "payname", "paystate", "paytype"];
const GIVEN: [&str; 6] = ["weight", "payby", "paydate", "payname", "paystate", "paytype"];

/// Success has no `error` key.
pub(crate) fn list(office: &mut Office, arguments: &Arguments) -> Record {
    let customer = arguments.number("custnum");
    if !office.customers.contains_key(&customer) {
        return error(format!("unknown custnum {}", arguments.get("custnum")));
    }
    let own = office.drawers.payment_means.iter().filter(|(_, means)| means.customer == customer);
    let means = own.map(|(number, means)| {
        let mut row = record([("custpaybynum", (*number).into())]);
        let column = |name: &str| means.columns.get(name).map_or(Value::Undef, |value| value.as_str().into());
        row.extend(SHOWN.map(|name| (name.to_owned(), column(name))));
        Value::Struct(row)
    });
    record([("payby", Value::Array(means.collect()))])
}

pub(crate) fn insert(office: &mut Office, arguments: &Arguments) -> Record {
    let number = match number(arguments) {
        Ok(number) => number,
        Err(text) => return error(text),
    };
    if let Err(text) = payment::check_means(arguments.get("payby"), &number, arguments) {
        return error(text);
    }
    let means = office.next_number();
    let row = Row { customer: arguments.number("custnum"), columns: Default::default() };
    office.drawers.payment_means.insert(means, row);
    set(office, means, arguments, &number);
    record([("custpaybynum", means.into())])
}

pub(crate) fn update(office: &mut Office, arguments: &Arguments) -> Record {
    let means = arguments.number("custpaybynum");
    if !is_customers(office, arguments) {
        return error(format!("unknown custpaybynum {}", arguments.get("custpaybynum")));
    }
    match number(arguments) {
        Ok(number) => {
            set(office, means, arguments, &number);
            record([("custpaybynum", means.into())])
        }
        Err(text) => error(text),
    }
}

pub(crate) fn delete(office: &mut Office, arguments: &Arguments) -> Record {
    if !is_customers(office, arguments) {
        return error(format!("unknown custpaybynum {}", arguments.get("custpaybynum")));
    }
    office.drawers.payment_means.remove(&arguments.number("custpaybynum"));
    error("")
}

fn is_customers(office: &Office, arguments: &Arguments) -> bool {
    let means = office.drawers.payment_means.get(&arguments.number("custpaybynum"));
    means.is_some_and(|means| means.customer == arguments.number("custnum"))
}

/// For `CHEK` the number is made of two, whatever `payinfo` says.
fn number(arguments: &Arguments) -> Result<String, String> {
    if arguments.get("payby") != "CHEK" {
        return Ok(arguments.get("payinfo").to_owned());
    }
    let legal = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit() || letter == 'x' || more.contains(letter))
    };
    let (account, routing) = (arguments.get("payinfo1"), arguments.get("payinfo2"));
    if !legal(account, "") {
        return Err(format!("illegal account number {account}"));
    }
    if !legal(routing, ".") {
        return Err(format!("illegal ABA/routing number {routing}"));
    }
    Ok(format!("{account}@{routing}"))
}

fn set(office: &mut Office, means: u32, arguments: &Arguments, number: &str) {
    let Some(row) = office.drawers.payment_means.get_mut(&means) else { return };
    for name in GIVEN.into_iter().filter(|name| arguments.has(name)) {
        row.columns.insert(name.to_owned(), arguments.get(name).to_owned());
    }
    if !number.is_empty() {
        row.columns.insert("paymask".to_owned(), mask(number));
    }
}

/// Of a card the first six digits and the last four, of an account the last two before the routing number.
fn mask(number: &str) -> String {
    let (account, routing) =
        number.split_once('@').map_or((number, None), |(account, routing)| (account, Some(routing)));
    let hide = |text: &str, head: usize, tail: usize| -> String {
        let end = text.chars().count().saturating_sub(tail);
        text.chars().enumerate().map(|(at, letter)| if at >= head && at < end { 'x' } else { letter }).collect()
    };
    match routing {
        Some(routing) => format!("{}@{routing}", hide(account, 0, 2)),
        None => hide(account, 6, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_masked() {
        assert_eq!(mask("4111111111111111"), "411111xxxxxx1111");
        assert_eq!(mask("123456@021000021"), "xxxx56@021000021");
    }
}
