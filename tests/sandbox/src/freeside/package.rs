//! Packages of customers: a change looks only at the customer, reading and renewing at nothing but the session.

use super::account::{self, DECLINED_PACKAGE};
use super::arguments::Arguments;
use super::office::{NO_SESSION, Office, Record, Status, error, record};
use super::signup::KNOWN_PARTS;
use crate::xmlrpc::Value;

/// The moment up to which every customer is billed at first.
const BILLED: i64 = 1_291_337_000;
const MONTH: i64 = 31 * 86_400;

/// Success has no `error` key, and the text of the refusal has a variable that Perl did not fill in.
pub(crate) fn info(office: &mut Office, arguments: &Arguments) -> Record {
    if !account::is_open(office, arguments) {
        return error(NO_SESSION);
    }
    let customer = arguments.number("custnum");
    match office.packages.get(&arguments.number("pkgnum")).filter(|package| package.customer == customer) {
        Some(package) => record([
            ("pkg_label", format!("Package {}", package.part).into()),
            ("pkgpart", package.part.into()),
            ("classnum", Value::Undef),
        ]),
        None => error("unknown pkg num $pkgnum"),
    }
}

/// Whose the package is does not matter.
pub(crate) fn change(office: &mut Office, arguments: &Arguments) -> Record {
    if let Err(refusal) = account::customer(office, arguments) {
        return error(refusal.text());
    }
    let (number, wanted) = (arguments.number("pkgnum"), arguments.get("pkgpart"));
    let Some(package) = office.packages.get(&number) else {
        return error(format!("unknown package {}", arguments.get("pkgnum")));
    };
    if package.status == Status::Suspended {
        return record([("error", "Can't change a suspended package".into()), ("pkgnum", number.into())]);
    }
    let Some(part) = KNOWN_PARTS.into_iter().find(|part| part.to_string() == wanted) else {
        return error(format!("unknown package {wanted}"));
    };
    let declined = wanted == DECLINED_PACKAGE;
    let status = if declined { Status::Suspended } else { Status::Active };
    let new = replace(office, number, part, status);
    if declined {
        return record([("error", "_decline".into()), ("bill_error", "Card declined".into())]);
    }
    record([("error", "".into()), ("pkg", format!("Package {part}").into()), ("pkgnum", new.into())])
}

/// The old package is cancelled; what was in it goes into the new one.
fn replace(office: &mut Office, old: u32, part: u32, status: Status) -> u32 {
    let customer = office.packages[&old].customer;
    let new = office.add_package(customer, part, status);
    if let Some(package) = office.packages.get_mut(&old) {
        package.status = Status::Cancelled;
    }
    for account in office.accounts.iter_mut().filter(|account| account.package == Some(old)) {
        account.package = Some(new);
    }
    for service in office.drawers.services.values_mut().filter(|service| service.package == old) {
        service.package = new;
    }
    new
}

/// Whose the service is does not matter.
pub(crate) fn recharge(office: &mut Office, arguments: &Arguments) -> Record {
    if let Err(refusal) = account::customer(office, arguments) {
        return error(refusal.text());
    }
    let number = arguments.number("svcnum");
    if !office.accounts.iter().any(|account| account.number == number) {
        return error(format!("unknown service {}", arguments.get("svcnum")));
    }
    record([("error", "".into()), ("svc", "Account".into())])
}

/// Success has no `error` key.
pub(crate) fn renewals(office: &mut Office, arguments: &Arguments) -> Record {
    if !account::is_open(office, arguments) {
        return error(NO_SESSION);
    }
    let customer = arguments.number("custnum");
    if !office.customers.contains_key(&customer) {
        return error(format!("unknown custnum {}", arguments.get("custnum")));
    }
    let billed = office.drawers.billed.get(&customer).copied().unwrap_or(BILLED);
    let due = office.packages.iter().filter(|(_, it)| it.customer == customer && it.status != Status::Cancelled);
    let dates = due.map(|(number, _)| {
        Value::Struct(record([
            ("pkgnum", (*number).into()),
            ("amount", "39.98".into()),
            ("bill_date", billed.to_string().into()),
            ("renew_date", (billed + MONTH).to_string().into()),
            ("expire_date", Value::Undef),
        ]))
    });
    record([("dates", Value::Array(dates.collect()))])
}

/// Answers success whatever was collected.
pub(crate) fn renew(office: &mut Office, arguments: &Arguments) -> Record {
    if !account::is_open(office, arguments) {
        return error(NO_SESSION);
    }
    let customer = arguments.number("custnum");
    if !office.customers.contains_key(&customer) {
        return error(format!("unknown custnum {}", arguments.get("custnum")));
    }
    let billed = office.drawers.billed.entry(customer).or_insert(BILLED);
    if arguments.get("date").parse().is_ok_and(|date: i64| date >= *billed) {
        *billed += MONTH;
    }
    error("")
}
