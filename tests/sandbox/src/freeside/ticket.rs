//! Tickets of customers; whose the customer is does not matter.

use super::account;
use super::arguments::Arguments;
use super::drawers::Ticket;
use super::office::{Office, Record, error, record};
use crate::xmlrpc::Value;

const MOMENT: &str = "2010-11-03 08:08:00";

/// Success has no `error` key.
pub(crate) fn list(office: &mut Office, arguments: &Arguments) -> Record {
    let customer = arguments.number("custnum");
    if !office.customers.contains_key(&customer) {
        return error(format!("unknown custnum {}", arguments.get("custnum")));
    }
    let own = office.drawers.tickets.iter().filter(|(_, ticket)| ticket.customer == customer);
    let tickets = own.map(|(number, ticket)| Value::Struct(fields(*number, ticket)));
    record([("tickets", Value::Array(tickets.collect()))])
}

pub(crate) fn create(office: &mut Office, arguments: &Arguments) -> Record {
    let number = office.next_number();
    let ticket = Ticket {
        customer: arguments.number("custnum"),
        subject: arguments.get("subject").to_owned(),
        priority: String::new(),
        entries: vec![("Create", arguments.get("message").to_owned())],
    };
    office.drawers.tickets.insert(number, ticket);
    record([("error", "".into()), ("ticket_id", number.into())])
}

/// Writes a reply and a subject if it is given any, then reads.
pub(crate) fn get(office: &mut Office, arguments: &Arguments) -> Record {
    let (number, customer) = (arguments.number("ticket_id"), arguments.number("custnum"));
    let ticket = office.drawers.tickets.get_mut(&number).filter(|ticket| ticket.customer == customer);
    let Some(ticket) = ticket else { return error("ticket not found") };
    let (subject, reply) = (arguments.get("subject"), arguments.get("reply"));
    if !subject.is_empty() {
        ticket.subject = subject.to_owned();
    }
    if !reply.is_empty() {
        ticket.entries.push(("Correspond", reply.to_owned()));
    }
    let transactions = ticket.entries.iter().map(|(kind, text)| {
        Value::Struct(record([
            ("created", MOMENT.into()),
            ("content", text.as_str().into()),
            ("description", format!("{kind} by fs_selfservice").into()),
            ("type", (*kind).into()),
        ]))
    });
    record([
        ("error", "".into()),
        ("transactions", Value::Array(transactions.collect())),
        ("ticket_fields", Value::Struct(fields(number, ticket))),
        ("ticket_id", number.into()),
    ])
}

/// Goes on after a ticket that is not the customer's; the customer's record, or its refusal, lies over the result.
pub(crate) fn adjust_priority(office: &mut Office, arguments: &Arguments) -> Record {
    let customer = arguments.number("custnum");
    let mut errors = Record::new();
    for (id, priority) in arguments.entries("values") {
        let ticket = id.parse().ok().and_then(|number: u32| office.drawers.tickets.get_mut(&number));
        match ticket.filter(|ticket| ticket.customer == customer) {
            Some(ticket) => ticket.priority = priority,
            None => errors.push((id, "ticket not found".into())),
        }
    }
    let mut result = account::customer_info(office, arguments);
    result.push(("ticket_error".to_owned(), Value::Struct(errors)));
    result
}

fn fields(number: u32, ticket: &Ticket) -> Record {
    record([
        ("id", number.into()),
        ("subject", ticket.subject.as_str().into()),
        ("queue", "Support".into()),
        ("status", "open".into()),
        ("owner", "Nobody".into()),
        ("priority", "10".into()),
        ("created", MOMENT.into()),
        ("lastupdated", MOMENT.into()),
        ("_selfservice_priority", ticket.priority.as_str().into()),
        ("is_unreplied", "1".into()),
        ("svcnums", Value::Array(Vec::new())),
    ])
}
