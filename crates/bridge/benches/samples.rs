//! The same data as prost messages, as serde structs and as upstream texts.

mod envelope;
mod replies;

use std::path::PathBuf;

use bridge::table::{Tables, TextRule, Vocabulary};
use prost::{Message, Name};
use serde::Serialize;

pub(crate) use envelope::{Customers, Envelope, Listed};
pub(crate) use replies::{brief_reply, json_reply, soap_reply};

const PACKAGE: &str = "sample.v1";

/// The tables of the sample contract.
pub(crate) fn tables() -> Tables {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let ours = folder.join("benches/samples/contract");
    let google = folder.join("../../proto/third_party");
    let mut compiler = protox::Compiler::new([ours, google]).expect("the folders exist");
    compiler.include_imports(true).open_file("sample/v1/customer.proto").expect("the contract compiles");
    let descriptors = compiler.encode_file_descriptor_set();
    let vocabulary = Vocabulary::parse(include_str!("samples/contract/vocabulary.toml")).expect("a vocabulary");
    Tables::build(&descriptors, PACKAGE, &vocabulary, None, TextRule::Xml).expect("it fits")
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Date {
    #[prost(int32, tag = "1")]
    year: i32,
    #[prost(int32, tag = "2")]
    month: i32,
    #[prost(int32, tag = "3")]
    day: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AddRequest {
    #[prost(string, optional, tag = "1")]
    first_name: Option<String>,
    #[prost(string, optional, tag = "2")]
    last_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    nickname: Option<String>,
    #[prost(string, optional, tag = "4")]
    email: Option<String>,
    #[prost(string, optional, tag = "5")]
    accounts_email: Option<String>,
    #[prost(string, optional, tag = "6")]
    phone: Option<String>,
    #[prost(string, optional, tag = "7")]
    mobile: Option<String>,
    #[prost(string, optional, tag = "8")]
    fax: Option<String>,
    #[prost(string, optional, tag = "9")]
    street1: Option<String>,
    #[prost(string, optional, tag = "10")]
    street2: Option<String>,
    #[prost(string, optional, tag = "11")]
    city: Option<String>,
    #[prost(string, optional, tag = "12")]
    county: Option<String>,
    #[prost(string, optional, tag = "13")]
    country: Option<String>,
    #[prost(string, optional, tag = "14")]
    postcode: Option<String>,
    #[prost(string, optional, tag = "15")]
    state: Option<String>,
    #[prost(string, optional, tag = "16")]
    vat_number: Option<String>,
    #[prost(string, optional, tag = "17")]
    company: Option<String>,
    #[prost(string, optional, tag = "18")]
    account_type: Option<String>,
    #[prost(string, optional, tag = "19")]
    currency: Option<String>,
    #[prost(string, optional, tag = "20")]
    marketing_code: Option<String>,
    #[prost(string, optional, tag = "21")]
    portal_username: Option<String>,
    #[prost(string, optional, tag = "22")]
    portal_password: Option<String>,
    #[prost(string, optional, tag = "23")]
    note: Option<String>,
    #[prost(string, optional, tag = "24")]
    reference: Option<String>,
    #[prost(string, optional, tag = "25")]
    payment_method: Option<String>,
    #[prost(string, optional, tag = "26")]
    language: Option<String>,
    #[prost(string, optional, tag = "27")]
    ip_address: Option<String>,
    #[prost(string, optional, tag = "28")]
    mac_address: Option<String>,
    #[prost(bool, optional, tag = "29")]
    invoicing_enabled: Option<bool>,
    #[prost(bool, optional, tag = "30")]
    voip_enabled: Option<bool>,
    #[prost(bool, optional, tag = "31")]
    nat: Option<bool>,
    #[prost(bool, optional, tag = "32")]
    equipment_graphs: Option<bool>,
    #[prost(bool, optional, tag = "33")]
    taxable: Option<bool>,
    #[prost(bool, optional, tag = "34")]
    paperless: Option<bool>,
    #[prost(int32, optional, tag = "35")]
    credit_days: Option<i32>,
    #[prost(int32, optional, tag = "36")]
    bucket_id: Option<i32>,
    #[prost(int32, optional, tag = "37")]
    connection_limit: Option<i32>,
    #[prost(message, optional, tag = "38")]
    start_date: Option<Date>,
    #[prost(message, optional, tag = "39")]
    install_date: Option<Date>,
    #[prost(message, optional, tag = "40")]
    contact_date: Option<Date>,
}

impl Name for AddRequest {
    const NAME: &'static str = "AddRequest";
    const PACKAGE: &'static str = PACKAGE;
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SearchReply {
    #[prost(int32, optional, tag = "1")]
    pub(crate) limit: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) offset: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) results: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) customers: Vec<Customer>,
}

impl Name for SearchReply {
    const NAME: &'static str = "SearchReply";
    const PACKAGE: &'static str = PACKAGE;
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Customer {
    #[prost(int32, optional, tag = "1")]
    pub(crate) customer_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) status: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) first_name: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) last_name: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) email: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(crate) phone: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(crate) street1: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub(crate) street2: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub(crate) city: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub(crate) county: Option<String>,
    #[prost(string, optional, tag = "11")]
    pub(crate) state: Option<String>,
    #[prost(string, optional, tag = "12")]
    pub(crate) postcode: Option<String>,
    #[prost(string, optional, tag = "13")]
    pub(crate) country: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Added {
    #[serde(rename = "firstname", skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(rename = "lastname", skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fax: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    street1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    street2: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    county: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postcode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vat_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    account_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(rename = "marketingcode", skip_serializing_if = "Option::is_none")]
    marketing_code: Option<String>,
    #[serde(rename = "eup_username", skip_serializing_if = "Option::is_none")]
    portal_username: Option<String>,
    #[serde(rename = "password", skip_serializing_if = "Option::is_none")]
    portal_password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(rename = "ipaddress", skip_serializing_if = "Option::is_none")]
    ip_address: Option<String>,
    #[serde(rename = "macaddress", skip_serializing_if = "Option::is_none")]
    mac_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoicing_enabled: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voip_enabled: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nat: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    equipment_graphs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taxable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paperless: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_limit: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    install_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_date: Option<String>,
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

/// A request with 40 fields set.
pub(crate) fn add_request() -> AddRequest {
    AddRequest {
        first_name: text("first_name & value"),
        last_name: text("last_name & value"),
        nickname: text("nickname & value"),
        email: text("email & value"),
        accounts_email: text("accounts_email & value"),
        phone: text("phone & value"),
        mobile: text("mobile & value"),
        fax: text("fax & value"),
        street1: text("street1 & value"),
        street2: text("street2 & value"),
        city: text("city & value"),
        county: text("county & value"),
        country: text("country & value"),
        postcode: text("postcode & value"),
        state: text("state & value"),
        vat_number: text("vat_number & value"),
        company: text("company & value"),
        account_type: text("account_type & value"),
        currency: text("currency & value"),
        marketing_code: text("marketing_code & value"),
        portal_username: text("portal_username & value"),
        portal_password: text("portal_password & value"),
        note: text("note & value"),
        reference: text("reference & value"),
        payment_method: text("payment_method & value"),
        language: text("language & value"),
        ip_address: text("ip_address & value"),
        mac_address: text("mac_address & value"),
        invoicing_enabled: Some(true),
        voip_enabled: Some(true),
        nat: Some(true),
        equipment_graphs: Some(true),
        taxable: Some(true),
        paperless: Some(true),
        credit_days: Some(35),
        bucket_id: Some(36),
        connection_limit: Some(37),
        start_date: Some(Date { year: 2018, month: 9, day: 22 }),
        install_date: Some(Date { year: 2018, month: 9, day: 22 }),
        contact_date: Some(Date { year: 2018, month: 9, day: 22 }),
    }
}

/// The same for the derive.
pub(crate) fn added() -> Added {
    Added {
        first_name: text("first_name & value"),
        last_name: text("last_name & value"),
        nickname: text("nickname & value"),
        email: text("email & value"),
        accounts_email: text("accounts_email & value"),
        phone: text("phone & value"),
        mobile: text("mobile & value"),
        fax: text("fax & value"),
        street1: text("street1 & value"),
        street2: text("street2 & value"),
        city: text("city & value"),
        county: text("county & value"),
        country: text("country & value"),
        postcode: text("postcode & value"),
        state: text("state & value"),
        vat_number: text("vat_number & value"),
        company: text("company & value"),
        account_type: text("account_type & value"),
        currency: text("currency & value"),
        marketing_code: text("marketing_code & value"),
        portal_username: text("portal_username & value"),
        portal_password: text("portal_password & value"),
        note: text("note & value"),
        reference: text("reference & value"),
        payment_method: text("payment_method & value"),
        language: text("language & value"),
        ip_address: text("ip_address & value"),
        mac_address: text("mac_address & value"),
        invoicing_enabled: text("1"),
        voip_enabled: text("1"),
        nat: text("1"),
        equipment_graphs: text("1"),
        taxable: text("1"),
        paperless: text("1"),
        credit_days: Some(35),
        bucket_id: Some(36),
        connection_limit: Some(37),
        start_date: text("09/22/2018"),
        install_date: text("09/22/2018"),
        contact_date: text("09/22/2018"),
    }
}
