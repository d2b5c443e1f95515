//! Methods of one customer, `FS::ClientAPI::MyAccount`; a reseller calls them with `agent_session_id` and `custnum`.

use super::agent;
use super::arguments::Arguments;
use super::office::{Customer, NO_SESSION, Office, Package, RESELLER, Record, Status, error, record};
use super::signup::KNOWN_PARTS;
use crate::xmlrpc::Value;

/// A package whose first charge is declined.
pub const DECLINED_PACKAGE: &str = "3";
pub(crate) const CUSTOM_VIEW: &str = "<TABLE><TR><TD>&nbsp;</TD></TR></TABLE>";

pub(crate) fn customer_info(office: &mut Office, arguments: &Arguments) -> Record {
    let (number, customer) = match customer(office, arguments) {
        Ok(found) => found,
        Err(Refusal::Customer(given)) => {
            return error(format!("customer_info: unknown custnum {given}"));
        }
        Err(Refusal::Session(text)) => return error(text),
    };
    let status = office.status(number);
    let mut info = record([
        ("error", "".into()),
        ("custnum", number.into()),
        ("display_custnum", number.into()),
        ("name", format!("{} {}", customer.column("first"), customer.column("last")).into()),
        ("balance", "19.99".into()),
        ("balance_pretty", "$19.99".into()),
        ("small_custview", CUSTOM_VIEW.into()),
        ("open_invoices", Value::Array(vec![open_invoice()])),
        ("status", status.label().into()),
        ("status_label", status.label().into()),
        ("statuscolor", status.colour().into()),
    ]);
    for name in ["first", "last", "company", "address1", "city", "state", "zip", "country", "daytime"] {
        info.push((name.to_owned(), customer.column(name).into()));
    }
    info
}

/// Success has no `error` key.
pub(crate) fn list_packages(office: &mut Office, arguments: &Arguments) -> Record {
    let number = match customer(office, arguments) {
        Ok((number, _)) => number,
        Err(refusal) => return error(refusal.text()),
    };
    let mine = office.packages.iter().filter(|(_, package)| package.customer == number);
    let packages = mine.map(|(id, package)| Value::Struct(package_row(office, *id, package))).collect();
    record([("custnum", number.into()), ("cust_pkg", Value::Array(packages))])
}

pub(crate) fn order_package(office: &mut Office, arguments: &Arguments) -> Record {
    let number = match customer(office, arguments) {
        Ok((number, _)) => number,
        Err(refusal) => return error(refusal.text()),
    };
    let wanted = arguments.get("pkgpart");
    let Some(part) = KNOWN_PARTS.into_iter().find(|part| part.to_string() == wanted) else {
        return error(format!("WARNING: unknown pkgpart: {wanted}"));
    };
    if wanted == DECLINED_PACKAGE {
        return record([("error", "_decline".into()), ("bill_error", "Card declined".into())]);
    }
    let username = arguments.get("username");
    if !username.is_empty() && !agent::is_free(office, username) {
        return error("Username in use");
    }
    let package = office.add_package(number, part, Status::Active);
    let mut ordered = record([("error", "".into()), ("pkgnum", package.into())]);
    if !username.is_empty() {
        ordered.push(("svcnum".to_owned(), office.add_account(username, package).into()));
    }
    ordered
}

/// Why a method of one customer is refused.
pub(crate) enum Refusal {
    Session(&'static str),
    Customer(String),
}

impl Refusal {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Session(text) => (*text).to_owned(),
            Self::Customer(given) => format!("unknown custnum {given}"),
        }
    }
}

/// A `session_id` is taken for a customer's session and wins over the reseller's.
pub(crate) fn is_open(office: &Office, arguments: &Arguments) -> bool {
    !arguments.has("session_id") && office.is_open(arguments.get("agent_session_id"))
}

/// The customer of a method that looks whose it is.
pub(crate) fn customer<'a>(office: &'a Office, arguments: &Arguments) -> Result<(u32, &'a Customer), Refusal> {
    if !is_open(office, arguments) {
        return Err(Refusal::Session(NO_SESSION));
    }
    let given = arguments.get("custnum");
    if given.is_empty() {
        return Err(Refusal::Session("Expired session"));
    }
    let number = given.parse().unwrap_or_default();
    match office.customers.get(&number) {
        Some(customer) if customer.agent == RESELLER => Ok((number, customer)),
        _ => Err(Refusal::Customer(given.to_owned())),
    }
}

fn open_invoice() -> Value {
    Value::Struct(record([
        ("invnum", "12".into()),
        ("date", "Nov 1st, 2010".into()),
        ("owed", "19.99".into()),
        ("charged", "19.99".into()),
    ]))
}

fn package_row(office: &Office, number: u32, package: &Package) -> Record {
    let others = office.drawers.services.iter().filter(|(_, service)| service.package == number);
    let others = others.map(|(id, service)| service_row(*id, [service.definition.name, "", service.definition.table]));
    let services: Vec<Value> = office
        .accounts
        .iter()
        .filter(|account| account.package == Some(number))
        .map(|account| {
            let address = format!("{}@{}", account.username, super::office::DOMAIN);
            service_row(account.number, ["Account", &address, "svc_acct"])
        })
        .chain(others)
        .collect();
    record([
        ("pkgnum", number.into()),
        ("custnum", package.customer.into()),
        ("pkgpart", package.part.into()),
        ("pkg", format!("Package {}", package.part).into()),
        ("freq", "1".into()),
        ("freq_pretty", "monthly".into()),
        ("status", package.status.name().into()),
        ("part_svc", Value::Array(Vec::new())),
        ("primary_cust_svc", services.first().cloned().unwrap_or(Value::Struct(Vec::new()))),
        ("cust_svc", Value::Array(services)),
    ])
}

fn service_row(number: u32, label: [&str; 3]) -> Value {
    let label = Value::Array(label.into_iter().map(Value::from).collect());
    Value::Struct(record([("svcnum", number.into()), ("label", label)]))
}
