//! The reseller's own methods, `FS::ClientAPI::Agent`; they take `session_id`.

use super::arguments::Arguments;
use super::office::{Customer, DOMAIN, NO_SESSION, Office, RESELLER, Record, Status, error, record};
use crate::xmlrpc::Value;

const BLANK: &str = "Must specify your reseller username and password.";
/// Columns no listing shows.
const SECRET_COLUMNS: [&str; 2] = ["payinfo", "paycvv"];

pub(crate) fn login(office: &mut Office, arguments: &Arguments) -> Record {
    let (username, password) = (arguments.get("username"), arguments.get("password"));
    if username.is_empty() || password.is_empty() {
        return error(BLANK);
    }
    if username != office.username || password != office.password {
        return error("Incorrect password.");
    }
    record([("error", "".into()), ("session_id", office.open_session().into())])
}

/// An unknown session is closed without complaint.
pub(crate) fn logout(office: &mut Office, arguments: &Arguments) -> Record {
    let key = arguments.get("session_id");
    if key.is_empty() {
        return error(NO_SESSION);
    }
    office.close_session(key);
    error("")
}

pub(crate) fn info(office: &mut Office, arguments: &Arguments) -> Record {
    if !is_open(office, arguments) {
        return error(NO_SESSION);
    }
    let mut info = record([("error", "".into()), ("agentnum", RESELLER.into()), ("agent", "Test Reseller".into())]);
    for status in Status::ALL {
        let count = mine(office).filter(|(number, _)| office.status(**number) == status).count();
        info.push((format!("num_{}", status.group()), count.to_string().into()));
    }
    info
}

/// Success has no `error` key.
pub(crate) fn list_customers(office: &mut Office, arguments: &Arguments) -> Record {
    if !is_open(office, arguments) {
        return error(NO_SESSION);
    }
    let search = arguments.get("search").to_lowercase();
    let customers = mine(office)
        .filter(|(number, customer)| {
            let group = office.status(**number).group();
            let found = !search.is_empty()
                && (customer.name().to_lowercase().contains(&search) || number.to_string() == search);
            found || is_true(arguments.get(group))
        })
        .map(|(number, customer)| Value::Struct(row(office, *number, customer)))
        .collect();
    record([("customers", Value::Array(customers))])
}

/// An unknown domain is not reported: its error is taken for a session, and the name is free.
pub(crate) fn check_username(office: &mut Office, arguments: &Arguments) -> Record {
    if !is_open(office, arguments) {
        return error(NO_SESSION);
    }
    let taken = office.account(arguments.get("username"), arguments.get("domain")).is_some();
    record([("error", "".into()), ("available", if taken { "0" } else { "1" }.into())])
}

pub(crate) fn suspend_username(office: &mut Office, arguments: &Arguments) -> Record {
    turn(office, arguments, "suspend", Status::Suspended)
}

pub(crate) fn unsuspend_username(office: &mut Office, arguments: &Arguments) -> Record {
    turn(office, arguments, "unsuspend", Status::Active)
}

/// Acts on the whole package; one that is there already is no error.
fn turn(office: &mut Office, arguments: &Arguments, verb: &str, status: Status) -> Record {
    if !is_open(office, arguments) {
        return error(NO_SESSION);
    }
    let Some(account) = office.account(arguments.get("username"), arguments.get("domain")) else {
        return error("Account not found");
    };
    let Some(number) = account.package else {
        return error("Unlinked account");
    };
    let Some(package) = office.packages.get_mut(&number) else {
        return error("Unlinked account");
    };
    if office.customers.get(&package.customer).is_none_or(|customer| customer.agent != RESELLER) {
        return error("Not your account");
    }
    if package.status == Status::Cancelled {
        return error(format!("Can't {verb} cancelled package {number}"));
    }
    package.status = status;
    error("")
}

fn is_open(office: &Office, arguments: &Arguments) -> bool {
    office.is_open(arguments.get("session_id"))
}

fn mine(office: &Office) -> impl Iterator<Item = (&u32, &Customer)> {
    office.customers.iter().filter(|(_, customer)| customer.agent == RESELLER)
}

/// Perl's truth.
fn is_true(value: &str) -> bool {
    !value.is_empty() && value != "0"
}

fn row(office: &Office, number: u32, customer: &Customer) -> Record {
    let status = office.status(number);
    let shown = customer.columns.iter().filter(|(name, _)| !SECRET_COLUMNS.contains(&name.as_str()));
    let mut row: Record = shown.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    row.extend(record([
        ("custnum", number.into()),
        ("agentnum", customer.agent.into()),
        ("name", customer.name().into()),
        ("status", status.name().into()),
        ("status_label", status.label().into()),
        ("statuscolor", status.colour().into()),
    ]));
    row
}

/// Whether a user name can be given to a new account.
pub(crate) fn is_free(office: &Office, username: &str) -> bool {
    office.account(username, DOMAIN).is_none()
}
