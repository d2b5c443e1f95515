//! Replies of an upstream as it writes them.

use std::fmt::Write;

use bridge::xml::write::escape_into;

const KEYS: [(&str, &str); 12] = [
    ("city", "Cork"),
    ("country", "Ireland"),
    ("county", ""),
    ("customerstatus", "current"),
    ("email", "john@example.com"),
    ("firstname", "John"),
    ("lastname", "Smith & Sons"),
    ("phone", "0871234567"),
    ("postcode", "43-418"),
    ("state", ""),
    ("street1", "1 Main St"),
    ("street2", ""),
];

/// A reply of `searchCustomer` with all that the document's sample has (SIMPLer API 2011-2Q): XML in a text in SOAP.
pub(crate) fn soap_reply(customers: usize) -> String {
    search_reply(customers, &KEYS)
}

/// A reply of `searchCustomer` with a hundred customers in 20 kB, escapes and all.
pub(crate) fn brief_reply() -> String {
    let reply = search_reply(100, &KEYS[5..7]);
    assert!((19_000..=21_000).contains(&reply.len()), "{}", reply.len());
    reply
}

fn search_reply(customers: usize, keys: &[(&str, &str)]) -> String {
    let mut inner = String::from("<customerSearchRoot>\n");
    for number in 0..customers {
        let _ = writeln!(inner, "  <customer id=\"{number}\">\n    <customerid>{number}</customerid>");
        for (key, value) in keys {
            let _ = write!(inner, "    <{key}>");
            escape_into(&mut inner, value);
            let _ = writeln!(inner, "</{key}>");
        }
        inner.push_str("  </customer>\n");
    }
    let _ = write!(inner, "  <limit>100</limit>\n  <offset>0</offset>\n  <results>{customers}</results>\n");
    inner.push_str("</customerSearchRoot>\n");
    let mut outer = String::from(concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" "#,
        r#"xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">"#,
        r#"<soap:Body><searchCustomerResponse xmlns="http://h/OperatorAPI"><s-gensym3 xsi:type="xsd:string">"#
    ));
    escape_into(&mut outer, &inner);
    outer.push_str("</s-gensym3></searchCustomerResponse></soap:Body></soap:Envelope>");
    outer
}

/// The same records as JSON.
pub(crate) fn json_reply(customers: usize) -> String {
    let records: Vec<String> = (0..customers)
        .map(|number| {
            let pairs: Vec<String> = KEYS.iter().map(|(key, value)| format!("{key:?}:{value:?}")).collect();
            format!("{{\"customerid\":{number},{}}}", pairs.join(","))
        })
        .collect();
    format!("{{\"limit\":100,\"offset\":0,\"results\":{customers},\"customer\":[{}]}}", records.join(","))
}
