//! The same reply read by hand: quick-xml's events straight into the message, for this one message and nothing else.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, Event},
};

use crate::samples::{Customer, SearchReply};

/// Reads the text inside the SOAP reply, then the records inside the text.
pub(crate) fn read(reply: &str) -> SearchReply {
    let mut reader = Reader::from_str(reply);
    let (mut inner, mut inside) = (String::new(), false);
    loop {
        match reader.read_event().expect("the sample") {
            Event::Start(start) => inside = start.name().as_ref().starts_with("s-gensym"),
            Event::Text(text) if inside => inner.push_str(&text),
            Event::GeneralRef(name) if inside => resolve(&name, &mut inner),
            Event::End(_) => return records(&inner),
            _ => {}
        }
    }
}

fn records(inner: &str) -> SearchReply {
    let mut reader = Reader::from_str(inner);
    let (mut reply, mut customer, mut text) = (SearchReply::default(), Customer::default(), String::new());
    loop {
        match reader.read_event().expect("the sample") {
            Event::Start(_) => text.clear(),
            Event::Text(more) => text.push_str(&more),
            Event::GeneralRef(name) => resolve(&name, &mut text),
            Event::End(end) => match end.name().as_ref() {
                "customer" => reply.customers.push(std::mem::take(&mut customer)),
                "customerid" => customer.customer_id = text.parse().ok(),
                "limit" => reply.limit = text.parse().ok(),
                "offset" => reply.offset = text.parse().ok(),
                "results" => reply.results = text.parse().ok(),
                "customerSearchRoot" => return reply,
                _ if text.is_empty() => {}
                name => *place(&mut customer, name) = Some(text.clone()),
            },
            _ => {}
        }
    }
}

fn resolve(name: &BytesRef<'_>, text: &mut String) {
    match name.resolve_char_ref().expect("the sample") {
        Some(letter) => text.push(letter),
        None => text.push_str(resolve_predefined_entity(name).expect("the sample")),
    }
}

fn place<'c>(customer: &'c mut Customer, name: &str) -> &'c mut Option<String> {
    match name {
        "customerstatus" => &mut customer.status,
        "firstname" => &mut customer.first_name,
        "lastname" => &mut customer.last_name,
        "email" => &mut customer.email,
        "phone" => &mut customer.phone,
        "street1" => &mut customer.street1,
        "street2" => &mut customer.street2,
        "city" => &mut customer.city,
        "county" => &mut customer.county,
        "state" => &mut customer.state,
        "postcode" => &mut customer.postcode,
        _ => &mut customer.country,
    }
}
