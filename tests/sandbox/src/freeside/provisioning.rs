//! Services in packages; only for customers of the reseller, except at DSL lines and at both ends of a forward.

use super::account::{self, CUSTOM_VIEW};
use super::arguments::Arguments;
use super::drawers::{DEFINITIONS, Definition, Service, columns};
use super::office::{Account, DOMAIN, Office, Package, Record, Status, error, record};
use super::signup;
use crate::xmlrpc::Value;

/// Success has no `error` key.
pub(crate) fn list_services(office: &mut Office, arguments: &Arguments) -> Record {
    let number = match account::customer(office, arguments) {
        Ok((number, _)) => number,
        Err(refusal) => return error(refusal.text()),
    };
    let kinds = arguments.list("svcdb");
    let wanted = arguments.get("pkgnum");
    let is_shown = |id: u32, package: &Package| {
        let lively = package.status == Status::Active
            || (!arguments.get("ncancelled").is_empty() && package.status == Status::Suspended);
        package.customer == number && lively && (wanted.is_empty() || wanted == id.to_string())
    };
    let shown: Vec<u32> = office.packages.iter().filter(|(id, it)| is_shown(**id, it)).map(|(id, _)| *id).collect();
    let accounts = office.accounts.iter().filter(|account| account.package.is_some_and(|id| shown.contains(&id)));
    let others = office.drawers.services.iter().filter(|(_, service)| shown.contains(&service.package));
    let rows = accounts.map(|it| account_row(office, it)).chain(others.map(|(id, it)| row(office, *id, it)));
    let rows = rows.filter(|(kind, _)| kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind));
    record([
        ("svcnum", Value::Undef),
        ("custnum", number.into()),
        ("date_format", "%m/%d/%Y".into()),
        ("svcs", Value::Array(rows.map(|(_, row)| Value::Struct(row)).collect())),
        ("bytes_used_total", Value::Struct(Vec::new())),
        ("usage_pools", Value::Array(Vec::new())),
        ("hide_usage", "0".into()),
    ])
}

fn account_row(office: &Office, account: &Account) -> (&'static str, Record) {
    let address = format!("{}@{DOMAIN}", account.username);
    let mut row = head(office, account.number, account.package.unwrap_or_default(), &DEFINITIONS[0], &address);
    row.extend(record([
        ("username", account.username.as_str().into()),
        ("email", address.into()),
        ("finger", "".into()),
        ("seconds", "7200".into()),
        ("recharge_amount", "5.00".into()),
    ]));
    ("svc_acct", row)
}

fn row(office: &Office, number: u32, service: &Service) -> (&'static str, Record) {
    let value = ["phonenum", "id", "dst"].iter().find_map(|name| service.columns.get(*name));
    let value = value.map(String::as_str).unwrap_or_default();
    let mut row = head(office, number, service.package, service.definition, value);
    match service.definition.table {
        "svc_dsl" => row.extend(record([("phonenum", value.into()), ("name", "John Smith".into())])),
        "svc_phone" => row.extend(record([("outbound", Value::Struct(Vec::new())), ("inbound", "0".into())])),
        _ => {}
    }
    (service.definition.table, row)
}

fn head(office: &Office, number: u32, package: u32, definition: &Definition, value: &str) -> Record {
    let part = office.packages.get(&package);
    record([
        ("svcnum", number.into()),
        ("display_svcnum", number.into()),
        ("svcdb", definition.table.into()),
        ("label", definition.name.into()),
        ("value", value.into()),
        ("pkg_label", part.map_or_else(String::new, |package| format!("Package {}", package.part)).into()),
        ("pkg_status", part.map_or("", |package| package.status.name()).into()),
        ("readonly", "".into()),
    ])
}

/// Success has no `error` key.
pub(crate) fn definition(office: &mut Office, arguments: &Arguments) -> Record {
    let (customer, package) = match package(office, arguments) {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let given = arguments.get("svcpart");
    let Some(definition) = Definition::of(given) else {
        return error(format!("unknown svcpart {given} for pkgnum {package}"));
    };
    let mut info = record([
        ("svc", definition.name.into()),
        ("svcdb", definition.table.into()),
        ("pkgnum", package.into()),
        ("svcpart", given.into()),
        ("custnum", customer.into()),
        ("popnum", "".into()),
        ("small_custview", CUSTOM_VIEW.into()),
    ]);
    if definition.table == "svc_forward" {
        let accounts = office.accounts.iter().filter(|account| account.package == Some(package));
        let emails = accounts.map(|it| (it.number.to_string(), format!("{}@{DOMAIN}", it.username).into()));
        info.push(("forward_emails".to_owned(), Value::Struct(emails.collect())));
    }
    info
}

pub(crate) fn account(office: &mut Office, arguments: &Arguments) -> Record {
    let (username, password) = (arguments.get("username"), arguments.get("_password"));
    if password != arguments.get("_password2") {
        return error("Passwords don't match");
    }
    if password.is_empty() {
        return error("Empty password");
    }
    let (package, definition) = match place(office, arguments, "svc_acct") {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let refusal = signup::check_username(office, username).err().unwrap_or_default();
    if refusal.is_empty() {
        let number = office.add_account(username, package);
        office.drawers.passwords.insert(number, password.to_owned());
    }
    let mut made = record([("svc", definition.name.into()), ("error", refusal.into())]);
    made.extend(["username", "_password", "domsvc"].map(|name| (name.to_owned(), arguments.get(name).into())));
    made
}

pub(crate) fn phone(office: &mut Office, arguments: &Arguments) -> Record {
    provision(office, arguments, "svc_phone", &["phonenum", "countrycode"])
}

pub(crate) fn pbx(office: &mut Office, arguments: &Arguments) -> Record {
    provision(office, arguments, "svc_pbx", &["id", "title", "max_extensions", "max_simultaneous", "ip_addr"])
}

/// Takes nothing but its place, and gives an id.
pub(crate) fn external(office: &mut Office, arguments: &Arguments) -> Record {
    provision(office, arguments, "svc_external", &["id", "title"])
}

/// Whose the accounts at both ends are does not matter.
pub(crate) fn forward(office: &mut Office, arguments: &Arguments) -> Record {
    let given = |name: &str| !arguments.get(name).is_empty();
    if given("srcsvc") == given("src") || given("dstsvc") == given("dst") {
        return error("one of srcsvc or src is required");
    }
    for name in ["srcsvc", "dstsvc"].into_iter().filter(|name| given(name)) {
        if !office.accounts.iter().any(|account| account.number == arguments.number(name)) {
            return error(format!("Unknown {name}: {}", arguments.get(name)));
        }
    }
    let mut made = provision(office, arguments, "svc_forward", &["srcsvc", "src", "dstsvc", "dst"]);
    made.truncate(2);
    made
}

/// Makes a service that is no account; answers with the fields as they were kept.
fn provision(office: &mut Office, arguments: &Arguments, table: &'static str, fields: &[&str]) -> Record {
    let (package, definition) = match place(office, arguments, table) {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let number = office.next_number();
    let kept: Vec<(&str, &str)> = fields.iter().map(|name| (*name, arguments.get(name))).collect();
    let service = Service { package, definition, columns: columns(&kept), devices: Vec::new() };
    office.drawers.services.insert(number, service);
    let mut made = record([("svc", definition.name.into()), ("error", "".into())]);
    made.extend(kept.into_iter().map(|(name, value)| (name.to_owned(), value.into())));
    made
}

fn place(office: &Office, arguments: &Arguments, table: &str) -> Result<(u32, &'static Definition), Record> {
    let (_, package) = package(office, arguments)?;
    let given = arguments.get("svcpart");
    match Definition::of(given) {
        None => Err(error(format!("unknown svcpart {given}"))),
        Some(other) if other.table != table => Err(error(format!("svcpart {given} is not a FS::{table} definition"))),
        Some(definition) => Ok((package, definition)),
    }
}

/// The customer and the package that are named, both of the reseller.
fn package(office: &Office, arguments: &Arguments) -> Result<(u32, u32), Record> {
    let (customer, _) = account::customer(office, arguments).map_err(|refusal| error(refusal.text()))?;
    let number = arguments.number("pkgnum");
    let found = office.packages.get(&number).filter(|package| package.customer == customer);
    found.map(|_| (customer, number)).ok_or_else(|| error(format!("unknown pkgnum {}", arguments.get("pkgnum"))))
}

pub(crate) fn cancel(office: &mut Office, arguments: &Arguments) -> Record {
    let customer = match account::customer(office, arguments) {
        Ok((customer, _)) => customer,
        Err(refusal) => return error(refusal.text()),
    };
    let number = arguments.number("svcnum");
    let Some((package, name)) = service(office, number) else {
        return error(format!("unknown svcnum {}", arguments.get("svcnum")));
    };
    if office.packages.get(&package).is_none_or(|package| package.customer != customer) {
        return error(format!("Service {number} does not belong to customer {customer}"));
    }
    office.accounts.retain(|account| account.number != number);
    office.drawers.services.remove(&number);
    record([("svc", name.into()), ("error", "".into()), ("small_custview", CUSTOM_VIEW.into())])
}

/// The package of a service, and the name of its definition.
fn service(office: &Office, number: u32) -> Option<(u32, &'static str)> {
    let account = office.accounts.iter().find(|account| account.number == number);
    let other = || office.drawers.services.get(&number).map(|service| (service.package, service.definition.name));
    account.and_then(|account| Some((account.package?, DEFINITIONS[0].name))).or_else(other)
}

/// Success has no `error` key.
pub(crate) fn did_report(office: &mut Office, arguments: &Arguments) -> Record {
    if !account::is_open(office, arguments) {
        return error(super::office::NO_SESSION);
    }
    if arguments.get("format") != "csv" {
        return error("requested format not implemented");
    }
    let customer = match account::customer(office, arguments) {
        Ok((customer, _)) => customer,
        Err(refusal) => return error(refusal.text()),
    };
    let fields = ["countrycode", "phonenum", "pin", "sip_password", "phone_name"];
    let line = |values: Vec<&str>| format!("\"{}\"\n", values.join("\",\""));
    let is_own = |service: &&Service| office.packages.get(&service.package).is_some_and(|it| it.customer == customer);
    let phones = office.drawers.services.values().filter(|service| service.definition.table == "svc_phone");
    let lines = phones
        .filter(is_own)
        .map(|service| line(fields.iter().map(|name| service.columns.get(*name).map_or("", String::as_str)).collect()));
    let content = line(fields.to_vec()) + &lines.collect::<String>();
    record([("content", content.into()), ("format", "csv".into())])
}

/// Success has no `error` key.
pub(crate) fn dsl_status(office: &mut Office, arguments: &Arguments) -> Record {
    match dsl(office, arguments) {
        Some(_) => record([("html", "<B>in sync</B>".into())]),
        None => error("Service not found"),
    }
}

/// Success has no `error` key.
pub(crate) fn dsl_devices(office: &mut Office, arguments: &Arguments) -> Record {
    let Some(line) = dsl(office, arguments) else { return error("Service not found") };
    let devices = line.devices.iter().map(|mac| Value::Struct(record([("mac_addr", mac.as_str().into())])));
    record([("devices", Value::Array(devices.collect()))])
}

pub(crate) fn add_dsl_device(office: &mut Office, arguments: &Arguments) -> Record {
    let mac = arguments.get("mac_addr");
    match dsl(office, arguments) {
        None => error("Service not found"),
        Some(_) if mac.is_empty() => error("No MAC address supplied"),
        Some(line) => {
            line.devices.push(mac.to_owned());
            error("")
        }
    }
}

pub(crate) fn delete_dsl_device(office: &mut Office, arguments: &Arguments) -> Record {
    let mac = arguments.get("mac_addr");
    let Some(line) = dsl(office, arguments) else { return error("Service not found") };
    if !line.devices.iter().any(|device| device == mac) {
        return error(format!("Unknown MAC address: {mac}"));
    }
    line.devices.retain(|device| device != mac);
    error("")
}

/// A DSL line of the customer who is named, whoever's customer that is.
fn dsl<'a>(office: &'a mut Office, arguments: &Arguments) -> Option<&'a mut Service> {
    let customer = arguments.number("custnum");
    let line = office.drawers.services.get_mut(&arguments.number("svcnum"))?;
    let owner = office.packages.get(&line.package)?.customer;
    (line.definition.table == "svc_dsl" && owner == customer).then_some(line)
}
