//! Accounts and their mailboxes. Passwords are changed for customers of the reseller only; the rest looks at the
//! session and at the customer who is named, whoever that is.

use super::account;
use super::arguments::Arguments;
use super::drawers::Mailbox;
use super::office::{Account, DOMAIN, Office, Record, error, record};
use crate::xmlrpc::Value;

const NOT_FOUND: &str = "Service not found";
/// Conf `passwordmin`.
const SHORTEST: usize = 6;

pub(crate) fn change_password(office: &mut Office, arguments: &Arguments) -> Record {
    if !account::is_open(office, arguments) {
        return error(super::office::NO_SESSION);
    }
    let new = arguments.get("new_password");
    if new != arguments.get("new_password2") {
        return error("New passwords don't match.");
    }
    if new.is_empty() {
        return error("Enter new password");
    }
    let Some((number, value)) = own_account(office, arguments) else { return error(NOT_FOUND) };
    let known = office.drawers.passwords.get(&number);
    if arguments.has("old_password") && known.is_some_and(|known| known != arguments.get("old_password")) {
        return error("Incorrect current password.");
    }
    if let Some(problem) = problem(new) {
        return error(problem);
    }
    office.drawers.passwords.insert(number, new.to_owned());
    record([("error", "".into()), ("label", "Account".into()), ("value", value.into())])
}

pub(crate) fn validate_password(office: &mut Office, arguments: &Arguments) -> Record {
    let password = arguments.get("check_password");
    if password.is_empty() {
        return record([("password_invalid", "Enter new password".into())]);
    }
    if !account::is_open(office, arguments) {
        return error(super::office::NO_SESSION);
    }
    if own_account(office, arguments).is_none() {
        return error(NOT_FOUND);
    }
    match problem(password) {
        Some(text) => record([("password_invalid", text.into())]),
        None => record([("password_valid", "1".into())]),
    }
}

pub(crate) fn forward(office: &mut Office, arguments: &Arguments) -> Record {
    let mailbox = find(office, arguments).and_then(|number| office.drawers.mailboxes.get(&number));
    let destination = mailbox.map(|mailbox| mailbox.forward.clone()).unwrap_or_default();
    record([("error", "".into()), ("dst", destination.into())])
}

pub(crate) fn set_forward(office: &mut Office, arguments: &Arguments) -> Record {
    let destination = arguments.get("dst").to_owned();
    let Some(mailbox) = mailbox(office, arguments) else {
        return if destination.is_empty() { error("") } else { error("No service") };
    };
    if !destination.is_empty() && !destination.contains('@') {
        return error(format!("Illegal dst: {destination}"));
    }
    mailbox.forward = destination;
    error("")
}

/// The hash itself is the result.
pub(crate) fn status(office: &mut Office, arguments: &Arguments) -> Record {
    let Some(mailbox) = mailbox(office, arguments) else { return error(NOT_FOUND) };
    let texts = |items: &[String]| Value::Array(items.iter().map(|item| item.as_str().into()).collect());
    let mut status: Record =
        mailbox.settings.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    for (name, list) in [("whitelist", &mailbox.whitelist), ("blacklist", &mailbox.blacklist)] {
        if !list.is_empty() {
            status.push((name.to_owned(), texts(list)));
        }
    }
    status
}

pub(crate) fn set_levels(office: &mut Office, arguments: &Arguments) -> Record {
    let Some(mailbox) = mailbox(office, arguments) else { return error(NOT_FOUND) };
    for name in ["spam_tag2_level", "spam_kill_level"] {
        let level = arguments.get(name);
        if level.parse::<f64>().is_err() {
            return error(format!("illegal {name}"));
        }
        mailbox.settings.insert(name.to_owned(), level.to_owned());
    }
    Record::new()
}

pub(crate) fn add_sender(office: &mut Office, arguments: &Arguments) -> Record {
    let address = arguments.get("address").to_owned();
    let Some(list) = senders(office, arguments) else { return error(NOT_FOUND) };
    list.push(address);
    Record::new()
}

pub(crate) fn delete_sender(office: &mut Office, arguments: &Arguments) -> Record {
    let address = arguments.get("address");
    let Some(list) = senders(office, arguments) else { return error(NOT_FOUND) };
    list.retain(|sender| sender != address);
    Record::new()
}

pub(crate) fn add_vacation(office: &mut Office, arguments: &Arguments) -> Record {
    let Some(mailbox) = mailbox(office, arguments) else { return error(NOT_FOUND) };
    mailbox.settings.insert("vacation_active".to_owned(), "1".to_owned());
    for name in ["subject", "body", "created", "enddate"] {
        mailbox.settings.insert(format!("vacation_{name}"), arguments.get(name).to_owned());
    }
    Record::new()
}

pub(crate) fn delete_vacation(office: &mut Office, arguments: &Arguments) -> Record {
    let Some(mailbox) = mailbox(office, arguments) else { return error(NOT_FOUND) };
    mailbox.settings.retain(|name, _| !name.starts_with("vacation_"));
    Record::new()
}

/// Everything that does not begin like a white list is a black one.
fn senders<'a>(office: &'a mut Office, arguments: &Arguments) -> Option<&'a mut Vec<String>> {
    let white = arguments.get("list").to_lowercase().starts_with(['w', 'a']);
    let mailbox = mailbox(office, arguments)?;
    Some(if white { &mut mailbox.whitelist } else { &mut mailbox.blacklist })
}

fn mailbox<'a>(office: &'a mut Office, arguments: &Arguments) -> Option<&'a mut Mailbox> {
    let number = find(office, arguments)?;
    Some(office.drawers.mailboxes.entry(number).or_default())
}

/// The number of an account of the customer who is named, whoever's customer that is.
fn find(office: &Office, arguments: &Arguments) -> Option<u32> {
    let (number, customer) = (arguments.number("svcnum"), arguments.number("custnum"));
    let owner = |account: &Account| Some(office.packages.get(&account.package?)?.customer);
    let account = office.accounts.iter().find(|account| account.number == number)?;
    (owner(account)? == customer).then_some(number)
}

fn own_account(office: &Office, arguments: &Arguments) -> Option<(u32, String)> {
    account::customer(office, arguments).ok()?;
    let number = find(office, arguments)?;
    let account = office.accounts.iter().find(|account| account.number == number)?;
    Some((number, format!("{}@{DOMAIN}", account.username)))
}

fn problem(password: &str) -> Option<String> {
    (password.len() < SHORTEST).then(|| format!("Password must be at least {SHORTEST} characters"))
}
