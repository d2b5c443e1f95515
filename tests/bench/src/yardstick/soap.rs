//! The SOAP of two functions by quick-xml.

use ispbridge_azotel::contract::{
    AddCustomerRequest, Address, CustomerSummary, SearchCustomerRequest, SearchCustomerResponse, SearchOrder,
};
use ispbridge_sandbox::StandIn;
use quick_xml::{
    Reader,
    escape::{escape, unescape},
    events::{BytesStart, Event},
};
use tonic::Status;

/// The URI that selects the class.
pub(super) const URI: &str = "http://127.0.0.1/OperatorAPI";

const HEAD: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/""#,
    r#" xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsd="http://www.w3.org/2001/XMLSchema""#,
    r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:apachens="http://xml.apache.org/xml-soap""#,
    r#" soap:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><soap:Body>"#,
);

/// A call while it is written.
struct Call {
    out: String,
    function: &'static str,
}

impl Call {
    fn new(function: &'static str) -> Self {
        let out = format!(r#"{HEAD}<{function} xmlns="{URI}"><arguments xsi:type="apachens:Map">"#);
        let mut call = Self { out, function };
        call.put("api_username", StandIn::of("azotel").value("username"));
        call.put("api_password", StandIn::of("azotel").value("password"));
        call
    }

    fn put(&mut self, key: &str, value: &str) {
        self.out.push_str(r#"<item><key xsi:type="xsd:string">"#);
        self.out.push_str(key);
        self.out.push_str(r#"</key><value xsi:type="xsd:string">"#);
        self.out.push_str(&escape(value));
        self.out.push_str("</value></item>");
    }

    fn put_some(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    fn end(mut self) -> String {
        self.out.push_str("</arguments></");
        self.out.push_str(self.function);
        self.out.push_str("></soap:Body></soap:Envelope>");
        self.out
    }
}

/// Writes `addCustomer` with the fields that the benchmark sends.
pub(super) fn add_customer(request: &AddCustomerRequest) -> String {
    let mut call = Call::new("addCustomer");
    call.put("name", &request.name);
    call.put("nickname", &request.nickname);
    call.put("invoicingid", &request.invoicing_id);
    if let Some(date) = &request.initial_contact_date {
        call.put("init_date", &format!("{:02}/{:02}/{:04}", date.month, date.day, date.year));
    }
    call.put_some("frequency", request.billing_frequency_months.map(|months| months.to_string()).as_deref());
    call.put_some("invoicing_status", request.invoicing_enabled.map(|yes| if yes { "1" } else { "0" }));
    call.put_some("address", request.address.as_ref().map(joined).as_deref());
    call.put_some("phone_list_main", request.phone.as_deref());
    call.put_some("email", request.email.as_deref());
    call.put_some("website", request.website.as_deref());
    call.put_some("gpsx", request.gps_x.map(|gps| gps.to_string()).as_deref());
    call.put_some("cp_terms", request.customer_portal_terms.map(|yes| if yes { "t" } else { "f" }));
    call.end()
}

fn joined(address: &Address) -> String {
    let parts =
        [&address.street1, &address.street2, &address.town, &address.county, &address.postal_code, &address.state];
    parts.map(|part| part.as_deref().unwrap_or_default()).join(":::")
}

/// Writes `searchCustomer` with the fields that the benchmark sends.
pub(super) fn search_customer(request: &SearchCustomerRequest) -> String {
    let mut call = Call::new("searchCustomer");
    call.put_some("lastname", request.last_name.as_deref());
    call.put_some("limit", request.limit.map(|limit| limit.to_string()).as_deref());
    call.put_some(
        "order",
        request.order.map(|_| match request.order() {
            SearchOrder::FirstName => "firstname",
            SearchOrder::LastName => "lastname",
            SearchOrder::CustomerId | SearchOrder::Unspecified => "customerid",
        }),
    );
    call.end()
}

/// Reads `OK:ID`.
pub(super) fn read_id(reply: &str) -> Result<String, Status> {
    let text = result(reply)?;
    text.strip_prefix("OK:").map(str::to_owned).ok_or_else(|| Status::failed_precondition(text))
}

/// Reads the customers that a search found.
pub(super) fn read_customers(reply: &str) -> Result<SearchCustomerResponse, Status> {
    let text = result(reply)?;
    let mut reader = Reader::from_str(&text);
    let mut found = SearchCustomerResponse::default();
    loop {
        match reader.read_event().map_err(unreadable)? {
            Event::Start(start) => match start.name().into_inner() {
                "customerSearchRoot" => {}
                "customer" => found.customers.push(customer(&mut reader, &start)?),
                name => {
                    let text = content(&mut reader, &start)?;
                    set(&mut found, name, &text)?;
                }
            },
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

fn set(found: &mut SearchCustomerResponse, name: &str, text: &str) -> Result<(), Status> {
    let number = || text.parse().map(Some).map_err(unreadable);
    match name {
        "case_sensitive" => found.case_sensitive = Some(text == "1"),
        "limit" => found.limit = number()?,
        "offset" => found.offset = number()?,
        "results" => found.results = number()?,
        "order" => {
            let order = match text {
                "firstname" => SearchOrder::FirstName,
                "lastname" => SearchOrder::LastName,
                _ => SearchOrder::CustomerId,
            };
            found.order = Some(order.into());
        }
        _ => {}
    }
    Ok(())
}

fn customer<'t>(reader: &mut Reader<&'t [u8]>, start: &BytesStart<'t>) -> Result<CustomerSummary, Status> {
    let id = start.try_get_attribute("id").map_err(unreadable)?;
    let id = id.map_or_else(String::new, |id| id.value.into_owned());
    let mut customer = CustomerSummary { id, ..Default::default() };
    loop {
        match reader.read_event().map_err(unreadable)? {
            Event::Start(start) => {
                let text = content(reader, &start)?;
                if !text.is_empty() {
                    put(&mut customer, start.name().into_inner(), text);
                }
            }
            Event::End(_) => return Ok(customer),
            Event::Eof => return Err(Status::internal("the reply is cut off")),
            _ => {}
        }
    }
}

fn put(customer: &mut CustomerSummary, name: &str, text: String) {
    let field = match name {
        "customerid" => &mut customer.customer_id,
        "firstname" => &mut customer.first_name,
        "lastname" => &mut customer.last_name,
        "email" => &mut customer.email,
        "phone" => &mut customer.phone,
        "customerstatus" => &mut customer.status,
        "street1" => &mut customer.street1,
        "street2" => &mut customer.street2,
        "city" => &mut customer.town,
        "county" => &mut customer.county,
        "postcode" => &mut customer.postal_code,
        "state" => &mut customer.state,
        "country" => &mut customer.country,
        _ => return,
    };
    *field = Some(text);
}

/// The text of the one value in the response element.
fn result(reply: &str) -> Result<String, Status> {
    let mut reader = Reader::from_str(reply);
    let mut inside = false;
    loop {
        match reader.read_event().map_err(unreadable)? {
            Event::Start(start) if inside => return content(&mut reader, &start),
            Event::Start(start) => inside = start.name().into_inner().ends_with("Response"),
            Event::Eof => return Err(Status::internal("the reply holds no result")),
            _ => {}
        }
    }
}

fn content<'t>(reader: &mut Reader<&'t [u8]>, start: &BytesStart<'t>) -> Result<String, Status> {
    let text = reader.read_text(start.name()).map_err(unreadable)?;
    Ok(unescape(&text).map_err(unreadable)?.into_owned())
}

fn unreadable<E>(_: E) -> Status {
    Status::internal("the reply cannot be read")
}
