//! `new_customer`, `FS::ClientAPI::Signup`: its checks in their documented order, then the sign-up itself.

use std::collections::BTreeMap;

use super::agent;
use super::arguments::Arguments;
use super::office::{Customer, NO_SESSION, Office, RESELLER, Record, Status, error, record};
use super::payment::{self, DECLINED_CARD, is_digits};
use crate::clock;

/// `pkgpart` numbers on sale.
pub(crate) const KNOWN_PARTS: [u32; 3] = [1, 2, 3];
/// Conf `signup_server-payby`.
const PAYBY: [&str; 6] = ["CARD", "DCRD", "CHEK", "DCHK", "PREPAY", "PPAL"];
/// Parameters that are columns of `cust_main`.
const COLUMNS: [&str; 22] = [
    "first",
    "last",
    "company",
    "address1",
    "address2",
    "city",
    "county",
    "state",
    "zip",
    "country",
    "daytime",
    "night",
    "fax",
    "mobile",
    "invoicing_list",
    "payby",
    "paydate",
    "payname",
    "refnum",
    "referral_custnum",
    "comments",
    "locale",
];

/// What kind of service a sign-up makes; which fields decide is inferred.
enum Service {
    Account,
    Phone,
    None,
}

impl Service {
    fn of(arguments: &Arguments) -> Self {
        match (arguments.has("username") || arguments.has("_password"), arguments.has("phonenum")) {
            (true, _) => Self::Account,
            (_, true) => Self::Phone,
            _ => Self::None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Account => "svc_acct",
            Self::Phone => "svc_phone",
            Self::None => "none",
        }
    }
}

pub(crate) fn new_customer(office: &mut Office, arguments: &Arguments) -> Record {
    let service = Service::of(arguments);
    if let Err(text) = check(office, arguments, &service) {
        return error(text);
    }
    let part = arguments.get("pkgpart").parse().unwrap_or_default();
    let customer = add_customer(office, arguments);
    if arguments.get("payinfo") == DECLINED_CARD {
        // The customer stays behind, cancelled.
        office.add_package(customer, part, Status::Cancelled);
        return error("_decline");
    }
    let package = office.add_package(customer, part, Status::Active);
    let mut result =
        record([("error", "".into()), ("signup_service", service.name().into()), ("custnum", customer.into())]);
    result.extend(match service {
        Service::Account => {
            let username = arguments.get("username");
            let number = office.add_account(username, package);
            // The password comes back in clear.
            record([
                ("svcnum", number.into()),
                ("username", username.into()),
                ("_password", arguments.get("_password").into()),
            ])
        }
        Service::Phone => phone(office, arguments),
        Service::None => Record::new(),
    });
    result
}

fn phone(office: &mut Office, arguments: &Arguments) -> Record {
    let mut result = record([("svcnum", office.next_number().into())]);
    for name in ["countrycode", "phonenum", "sip_password", "pin"] {
        result.push((name.to_owned(), arguments.get(name).into()));
    }
    result
}

pub(crate) fn add_customer(office: &mut Office, arguments: &Arguments) -> u32 {
    let number = office.next_number();
    let given = arguments.iter().filter(|(name, _)| COLUMNS.contains(&name.as_str()));
    let mut columns: BTreeMap<String, String> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, value) in [("company", ""), ("refnum", "1"), ("referral_custnum", ""), ("daytime", "")] {
        columns.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    columns.insert("signupdate".to_owned(), clock::epoch().to_string());
    office.customers.insert(number, Customer { agent: RESELLER, columns });
    number
}

fn check(office: &Office, arguments: &Arguments, service: &Service) -> Result<(), String> {
    if matches!(service, Service::Account) && arguments.get("_password").is_empty() {
        return Err("Empty password".to_owned());
    }
    if !office.is_open(arguments.get("session_id")) {
        return Err(NO_SESSION.to_owned());
    }
    if !PAYBY.contains(&arguments.get("payby")) {
        return Err("Illegal payment type".to_owned());
    }
    check_package(arguments)?;
    check_person(office, arguments)?;
    payment::check(arguments)?;
    match service {
        Service::Account => check_username(office, arguments.get("username")),
        Service::Phone | Service::None => Ok(()),
    }
}

fn check_package(arguments: &Arguments) -> Result<(), String> {
    let part = arguments.get("pkgpart");
    if part.is_empty() || !is_digits(part) {
        return Err("Please select a package".to_owned());
    }
    if !KNOWN_PARTS.iter().any(|known| known.to_string() == part) {
        return Err(format!("WARNING: unknown pkgpart: {part}"));
    }
    match (arguments.get("reg_code"), arguments.get("promo_code")) {
        ("", "") => Ok(()),
        ("", _) => Err("Unknown promotional code".to_owned()),
        _ => Err("Unknown registration code".to_owned()),
    }
}

fn check_person(office: &Office, arguments: &Arguments) -> Result<(), String> {
    for name in ["first", "last", "address1", "city"] {
        if arguments.get(name).trim().is_empty() {
            return Err(format!("Illegal or empty (text) {name}: "));
        }
    }
    let (zip, country) = (arguments.get("zip"), arguments.get("country"));
    if country == "US" && !is_us_zip(zip) {
        return Err(format!("Illegal (zip) zip for country US: {zip}"));
    }
    let daytime = arguments.get("daytime");
    if country == "US" && !daytime.is_empty() && daytime.chars().filter(char::is_ascii_digit).count() != 10 {
        return Err(format!("Illegal (phone) daytime: {daytime}"));
    }
    let list = arguments.get("invoicing_list");
    if let Some(wrong) = list.split(',').map(str::trim).find(|address| !is_invoice_address(address)) {
        return Err(format!("Illegal email invoice address: {wrong}"));
    }
    if !matches!(arguments.get("refnum"), "" | "1") {
        return Err("Unknown refnum".to_owned());
    }
    let referring = arguments.get("referral_custnum");
    let known = referring.parse().is_ok_and(|number: u32| office.customers.contains_key(&number));
    if referring.is_empty() || known { Ok(()) } else { Err(format!("Unknown referring custnum: {referring}")) }
}

pub(crate) fn check_username(office: &Office, username: &str) -> Result<(), String> {
    let legal = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-".contains(letter);
    if !(2..=32).contains(&username.len()) || !username.chars().all(legal) {
        return Err(format!("Illegal username (2-32): {username}"));
    }
    if agent::is_free(office, username) { Ok(()) } else { Err("Username in use".to_owned()) }
}

fn is_us_zip(zip: &str) -> bool {
    let (five, four) = zip.split_once('-').unwrap_or((zip, "0000"));
    five.len() == 5 && four.len() == 4 && is_digits(five) && is_digits(four)
}

fn is_invoice_address(address: &str) -> bool {
    matches!(address, "" | "POST")
        || address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}
