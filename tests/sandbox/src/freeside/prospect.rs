//! The lesser forms of a sign-up.

use super::arguments::Arguments;
use super::office::{NO_SESSION, Office, Record, error, record};
use super::payment::is_digits;
use super::signup::{self, KNOWN_PARTS};

/// The kinds of phone numbers a contact has.
const PHONES: [&str; 4] = ["Daytime", "Night", "Mobile", "Fax"];

/// Signs a customer up; the package and its service are read and forgotten, as in Freeside's source of 2024.
pub(crate) fn new_customer_minimal(office: &mut Office, arguments: &Arguments) -> Record {
    if arguments.get("_password").is_empty() {
        return error("Empty password");
    }
    if !office.is_open(arguments.get("session_id")) {
        return error(NO_SESSION);
    }
    let part = arguments.get("pkgpart");
    if !part.is_empty() && is_digits(part) && !KNOWN_PARTS.iter().any(|known| known.to_string() == part) {
        return error(format!("WARNING: unknown pkgpart: {part}"));
    }
    for name in ["first", "last"] {
        if arguments.get(name).trim().is_empty() {
            return error(format!("Illegal or empty (text) {name}: "));
        }
    }
    let customer = signup::add_customer(office, arguments);
    let session = office.customer_key();
    record([
        ("error", "".into()),
        ("signup_service", "svc_acct".into()),
        ("custnum", customer.into()),
        ("session_id", session.into()),
        ("first", arguments.get("first").into()),
        ("last", arguments.get("last").into()),
        ("company", arguments.get("company").into()),
    ])
}

/// Success has no `error` key.
pub(crate) fn new_prospect(office: &mut Office, arguments: &Arguments) -> Record {
    if !office.is_open(arguments.get("session_id")) {
        return error(NO_SESSION);
    }
    if arguments.get("referral_title").is_empty() && arguments.get("refnum").is_empty() {
        return error("Signup referral type is not configured");
    }
    let (country, state) = (arguments.get("country"), arguments.get("state"));
    match country.len() {
        0..=2 => {}
        _ if country != "South Africa" => return error(format!("Unknown country: {country}")),
        _ if !["WC", "Western Cape"].contains(&state) => return error(format!("Unknown state: {state}")),
        _ => {}
    }
    for kind in PHONES {
        let phone = arguments.get(&format!("phone_{}", kind.to_lowercase()));
        if !phone.is_empty() && phone.chars().filter(char::is_ascii_digit).count() < 7 {
            return error(format!("{kind} phone: invalid phone number"));
        }
    }
    record([("prospectnum", office.next_number().into())])
}
