//! The three kinds of calls: a small SOAP write, a small REST read, a SOAP reply of 20 kB.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use clap::ValueEnum;
use ispbridge_aex::contract::GetPremiseRequest;
use ispbridge_azotel::contract::{AddCustomerRequest, Address, SearchCustomerRequest, SearchOrder};
use prost::Message;

/// One kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// A small SOAP write; the upstream connection is fresh each time, in the yardstick too.
    Write,
    /// A small REST read.
    Read,
    /// A SOAP reply of 20 kB.
    Large,
}

impl Work {
    /// All of them.
    pub(crate) const ALL: [Work; 3] = [Work::Write, Work::Read, Work::Large];

    /// The path of the method.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Work::Write => "/ispbridge.azotel.v1.CustomerService/AddCustomer",
            Work::Read => "/ispbridge.aex.v1.PremiseService/GetPremise",
            Work::Large => "/ispbridge.azotel.v1.CustomerService/SearchCustomer",
        }
    }

    /// The request as gRPC frames it.
    pub(crate) fn request(self) -> Bytes {
        match self {
            Work::Write => framed(&add_customer()),
            Work::Read => get_premise("4BF2A897-A38C-4D24-82C6-F2184C8832E4"),
            Work::Large => framed(&SearchCustomerRequest {
                last_name: Some("Kowalski".to_owned()),
                limit: Some(30),
                order: Some(SearchOrder::LastName.into()),
                ..Default::default()
            }),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Work::Write => "small SOAP write",
            Work::Read => "small REST read",
            Work::Large => "20 kB SOAP reply",
        })
    }
}

/// The request of [`Work::Read`] for some premise.
pub(crate) fn get_premise(premise_id: &str) -> Bytes {
    framed(&GetPremiseRequest { premise_id: premise_id.to_owned() })
}

/// The request of the fixture AddCustomer.
fn add_customer() -> AddCustomerRequest {
    let text = |text: &str| Some(text.to_owned());
    let address = Address {
        street1: text("Street 1"),
        street2: text("Street 2"),
        town: text("Town"),
        county: text("County"),
        postal_code: text("12345"),
        state: text("State"),
    };
    let mut request = AddCustomerRequest {
        name: "Jane Doe".to_owned(),
        nickname: "JaneDoe".to_owned(),
        invoicing_id: "JD1".to_owned(),
        billing_frequency_months: Some(1),
        invoicing_enabled: Some(true),
        address: Some(address),
        phone: text("0871234567"),
        email: text("jane@example.com"),
        website: text("http://www.example.com/"),
        gps_x: Some(52.1234),
        customer_portal_terms: Some(true),
        ..Default::default()
    };
    let date = request.initial_contact_date.get_or_insert_default();
    (date.year, date.month, date.day) = (2018, 9, 22);
    request
}

/// A message as gRPC frames it.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).expect("a small message"));
    message.encode(&mut frame).expect("the frame grows");
    frame.freeze()
}
