//! What Freeside keeps besides customers, packages and accounts.

use std::collections::BTreeMap;

/// Columns by name.
pub(crate) type Columns = BTreeMap<String, String>;

/// A row that belongs to a customer.
pub(crate) struct Row {
    pub(crate) customer: u32,
    pub(crate) columns: Columns,
}

/// A service that is no account.
pub(crate) struct Service {
    pub(crate) package: u32,
    pub(crate) definition: &'static Definition,
    pub(crate) columns: Columns,
    /// MAC addresses at a DSL line.
    pub(crate) devices: Vec<String>,
}

/// A row of `part_svc`.
#[derive(Debug, PartialEq)]
pub(crate) struct Definition {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
}

/// What the exports of an account keep.
#[derive(Default)]
pub(crate) struct Mailbox {
    pub(crate) forward: String,
    pub(crate) whitelist: Vec<String>,
    pub(crate) blacklist: Vec<String>,
    pub(crate) settings: Columns,
}

/// A ticket with what was written in it: type and text.
pub(crate) struct Ticket {
    pub(crate) customer: u32,
    pub(crate) subject: String,
    pub(crate) priority: String,
    pub(crate) entries: Vec<(&'static str, String)>,
}

#[derive(Default)]
pub(crate) struct Drawers {
    pub(crate) contacts: BTreeMap<u32, Row>,
    pub(crate) payment_means: BTreeMap<u32, Row>,
    pub(crate) services: BTreeMap<u32, Service>,
    pub(crate) mailboxes: BTreeMap<u32, Mailbox>,
    /// Passwords by the number of the account.
    pub(crate) passwords: BTreeMap<u32, String>,
    pub(crate) tickets: BTreeMap<u32, Ticket>,
    /// The moment up to which a customer is billed, if it was renewed.
    pub(crate) billed: BTreeMap<u32, i64>,
}

/// Every service on sale; a package may hold any of them.
pub(crate) static DEFINITIONS: [Definition; 6] = [
    Definition { number: 2, name: "Account", table: "svc_acct" },
    Definition { number: 3, name: "Phone", table: "svc_phone" },
    Definition { number: 4, name: "DSL", table: "svc_dsl" },
    Definition { number: 5, name: "Forward", table: "svc_forward" },
    Definition { number: 6, name: "PBX", table: "svc_pbx" },
    Definition { number: 7, name: "Backup", table: "svc_external" },
];

impl Definition {
    pub(crate) fn of(number: &str) -> Option<&'static Self> {
        DEFINITIONS.iter().find(|definition| definition.number.to_string() == number)
    }
}

impl Drawers {
    /// A contact, a card, a DSL line, a phone, a mailbox and a ticket of customer 23, a ticket of another reseller's.
    pub(crate) fn seeded() -> Self {
        let mut drawers = Self::default();
        let contact =
            [("first", "John"), ("last", "Smith"), ("emailaddress", "john@example.com"), ("selfservice_access", "Y")];
        drawers.contacts.insert(41, Row { customer: 23, columns: columns(&contact) });
        let card = [("payby", "CARD"), ("paymask", "411111xxxxxx1111"), ("paydate", "2012-11-01"), ("weight", "1")];
        drawers.payment_means.insert(61, Row { customer: 23, columns: columns(&card) });
        drawers.services.insert(
            506,
            Service {
                package: 5,
                definition: &DEFINITIONS[2],
                columns: columns(&[("phonenum", "4155551212")]),
                devices: vec!["00005E005301".to_owned(), "00005E005302".to_owned()],
            },
        );
        let phone = [("countrycode", "1"), ("phonenum", "4155551213"), ("pin", "1234"), ("sip_password", "s33kret")];
        let phone = Service { package: 5, definition: &DEFINITIONS[1], columns: columns(&phone), devices: Vec::new() };
        drawers.services.insert(507, phone);
        drawers.mailboxes.insert(501, Mailbox { forward: "john@example.org".to_owned(), ..Mailbox::default() });
        drawers.passwords.insert(501, "s33kret".to_owned());
        drawers.tickets.insert(71, ticket(23, "No connection"));
        drawers.tickets.insert(73, ticket(99, "Invoice"));
        drawers
    }
}

pub(crate) fn columns(given: &[(&str, &str)]) -> Columns {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn ticket(customer: u32, subject: &str) -> Ticket {
    let entries = vec![("Create", "The line is dead.".to_owned())];
    Ticket { customer, subject: subject.to_owned(), priority: String::new(), entries }
}
