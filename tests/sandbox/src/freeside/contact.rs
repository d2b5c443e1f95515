//! People at customers; whose the customer is does not matter.

use super::arguments::Arguments;
use super::drawers::Row;
use super::office::{Office, Record, error, record};
use crate::xmlrpc::Value;

const COLUMNS: [&str; 7] = ["class", "first", "last", "title", "emailaddress", "comment", "selfservice_access"];

pub(crate) fn list(office: &mut Office, arguments: &Arguments) -> Record {
    let customer = arguments.number("custnum");
    let own = office.drawers.contacts.iter().filter(|(_, contact)| contact.customer == customer);
    let contacts = own.map(|(number, contact)| {
        let mut row = record([("contactnum", (*number).into())]);
        let column = |name: &str| contact.columns.get(name).cloned().unwrap_or_default();
        row.extend(COLUMNS.map(|name| (name.to_owned(), column(name).into())));
        Value::Struct(row)
    });
    record([("error", "".into()), ("contacts", Value::Array(contacts.collect()))])
}

pub(crate) fn add(office: &mut Office, arguments: &Arguments) -> Record {
    let number = office.next_number();
    let given = arguments.iter().filter(|(name, _)| COLUMNS.contains(&name.as_str()));
    let columns = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    office.drawers.contacts.insert(number, Row { customer: arguments.number("custnum"), columns });
    error("")
}

/// Only contacts that may log in can be changed; what is empty stays.
pub(crate) fn edit(office: &mut Office, arguments: &Arguments) -> Record {
    let customer = arguments.number("custnum");
    let contact = office.drawers.contacts.get_mut(&arguments.number("contactnum"));
    let may_log_in = |contact: &Row| contact.columns.get("selfservice_access").is_some_and(|access| access == "Y");
    let Some(contact) = contact.filter(|contact| contact.customer == customer && may_log_in(contact)) else {
        return error("Email not found");
    };
    for name in ["first", "last", "title", "emailaddress"] {
        let value = arguments.get(name);
        if !value.is_empty() {
            contact.columns.insert(name.to_owned(), value.to_owned());
        }
    }
    error("")
}

pub(crate) fn delete(office: &mut Office, arguments: &Arguments) -> Record {
    let (number, customer) = (arguments.number("contactnum"), arguments.number("custnum"));
    if office.drawers.contacts.get(&number).is_none_or(|contact| contact.customer != customer) {
        return error("Unknown contactnum");
    }
    office.drawers.contacts.remove(&number);
    error("")
}
