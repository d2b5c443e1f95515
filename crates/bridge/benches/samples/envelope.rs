//! A SOAP reply as serde reads it.

use serde::Deserialize;

/// A SOAP envelope as a derive reads it.
#[derive(Deserialize)]
pub(crate) struct Envelope {
    #[serde(rename = "Body")]
    pub(crate) body: Body,
}

#[derive(Deserialize)]
pub(crate) struct Body {
    #[serde(rename = "searchCustomerResponse")]
    pub(crate) response: ResponseElement,
}

#[derive(Deserialize)]
pub(crate) struct ResponseElement {
    #[serde(rename = "s-gensym3")]
    pub(crate) result: ResultElement,
}

#[derive(Deserialize)]
pub(crate) struct ResultElement {
    #[serde(rename = "$text")]
    pub(crate) text: String,
}

/// The inner document as a derive reads it; the counts stand for the work of reading them.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read for the time it takes")]
pub(crate) struct Customers {
    limit: i32,
    offset: i32,
    results: i32,
    pub(crate) customer: Vec<Found>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read for the time it takes")]
pub(crate) struct Found {
    #[serde(rename = "customerid")]
    customer_id: i32,
    #[serde(rename = "customerstatus")]
    status: String,
    #[serde(rename = "firstname")]
    first_name: String,
    #[serde(rename = "lastname")]
    last_name: String,
    email: String,
    phone: String,
    street1: String,
    street2: String,
    city: String,
    county: String,
    state: String,
    postcode: String,
    country: String,
}

/// The same in JSON.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read for the time it takes")]
pub(crate) struct Listed {
    limit: i32,
    offset: i32,
    results: i32,
    customer: Vec<Found>,
}
