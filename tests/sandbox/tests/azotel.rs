//! Azotel: recorded requests and a customer's life.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ispbridge_sandbox::Sandbox;

use crate::wire::{Reply, between, replay, sandbox, send};

/// The recorded envelope around a result; the number of the generated name is the server's.
fn envelope(method: &str, symbol: u32, kind: &str, text: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soap:Envelope soap:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\" \
         xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soap:Body>\
         <{method}Response xmlns=\"http://127.0.0.1/OperatorAPI\">\
         <s-gensym{symbol} xsi:type=\"xsd:{kind}\">{text}</s-gensym{symbol}></{method}Response>\
         </soap:Body></soap:Envelope>"
    )
}

async fn call(address: SocketAddr, method: &str, arguments: &[(&str, &str)]) -> Reply {
    let credentials = [("api_username", "apiuser"), ("api_password", "apipass")];
    let members: String = credentials
        .iter()
        .chain(arguments)
        .map(|(name, value)| format!("<{name} xsi:type=\"xsd:string\">{value}</{name}>"))
        .collect();
    let body = format!(
        "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soap:Body><{method} xmlns=\"http://127.0.0.1/OperatorAPI\"><p>{members}</p></{method}></soap:Body>\
         </soap:Envelope>"
    );
    send(address, "POST /API/operatorapi.pl", "Content-Type: text/xml\r\nSOAPAction: \"\"\r\n", &body).await.unwrap()
}

/// The result as text.
async fn ask(sandbox: &Sandbox, method: &str, arguments: &[(&str, &str)]) -> String {
    let body = call(sandbox.address("azotel"), method, arguments).await.body;
    let result = between(between(&body, "<s-gensym", "</s-gensym"), ">", "\u{0}");
    if body.contains("xsd:base64Binary") {
        return String::from_utf8(STANDARD.decode(result).unwrap()).unwrap();
    }
    result.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[tokio::test]
async fn recorded_requests_get_recorded_bytes() {
    let sandbox = sandbox().await;
    let recordings = [
        ("01-addCustomer-hash", "addCustomer", "string", "OK:101"),
        ("02-addCustomer-named", "addCustomer", "string", "ERROR: access denied"),
        ("03-addCustomer-flatlist", "addCustomer", "string", "OK:102"),
        ("13-pingAPI", "pingAPI", "string", "OK"),
        ("14-pingAPI-badpassword", "pingAPI", "string", "ERROR: access denied"),
        ("15-addCustomer-missing", "addCustomer", "string", "ERROR: missing required attribute nickname"),
        ("17-checkExistingEmail-found", "checkExistingEmail", "int", "2"),
        ("09-addCPE-array", "addCPE", "string", "OK :103"),
        ("76-soapaction-slash", "pingAPI", "string", "OK"),
        ("80-soap12", "pingAPI", "string", "OK"),
        ("php-01-addCustomer-array", "addCustomer", "string", "OK:104"),
        ("php-03-addCustomer-object", "addCustomer", "string", "OK:105"),
    ];
    for (number, (recording, method, kind, text)) in (1..).zip(recordings) {
        let reply = replay(sandbox.address("azotel"), &format!("azotel/{recording}"), None).await;
        assert_eq!(reply.body, envelope(method, number * 3, kind, text), "{recording}");
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/xml; charset=utf-8")));
    }
    let nickname = ask(&sandbox, "getCustomerData", &[("customerid", "105")]).await;
    assert!(nickname.contains("<nickname>JaneDoe3</nickname>") && nickname.contains("<invoicingid>JD13</invoicingid>"));
}

#[tokio::test]
async fn names_survive_every_way_they_are_sent() {
    let sandbox = sandbox().await;
    for recording in ["05-addCustomer-allstrings", "06-addCustomer-utf8-autotype", "php-02-addCustomer-utf8"] {
        replay(sandbox.address("azotel"), &format!("azotel/{recording}"), None).await;
    }
    for id in ["101", "102"] {
        let data = ask(&sandbox, "getCustomerData", &[("customerid", id)]).await;
        assert_eq!(between(&data, "<name>", "</name>"), "Łucja Ó Briain");
    }
    let data = ask(&sandbox, "getCustomerData", &[("customerid", "103")]).await;
    assert_eq!(between(&data, "<name>", "</name>"), "Łucja Ó Briain &lt;x&gt; &amp; &quot;y&quot;");
}

#[tokio::test]
async fn searches_answer_text_or_base64_of_it() {
    let sandbox = sandbox().await;
    let plain = replay(sandbox.address("azotel"), "azotel/23-searchCustomer", None).await.body;
    let text = between(&plain, "xsd:string\">", "</s-gensym").replace("&lt;", "<").replace("&gt;", ">");
    let expected = "<customerSearchRoot>\n  <case_sensitive>0</case_sensitive>\n  <customer id=\"2\">\n    \
        <city>Cork</city>\n    <country>Ireland</country>\n    <county></county>\n    <customerid>2</customerid>\n    \
        <customerstatus>current</customerstatus>\n    <email>john@example.com</email>\n    \
        <firstname>John</firstname>\n    <lastname>Smith</lastname>\n    <phone>600100200</phone>\n    \
        <postcode>43-418</postcode>\n    <state></state>\n    <street1>1 Main St</street1>\n    \
        <street2></street2>\n  </customer>\n  <limit>5</limit>\n  <offset>0</offset>\n  \
        <order>customerid</order>\n  <results>1</results>\n</customerSearchRoot>\n";
    assert_eq!(text, expected);
    let encoded = replay(sandbox.address("azotel"), "azotel/24-searchCustomer-utf8-result", None).await.body;
    let bytes = STANDARD.decode(between(&encoded, "xsd:base64Binary\">", "</s-gensym")).unwrap();
    assert!(String::from_utf8(bytes).unwrap().contains("<lastname>Łącka</lastname>"));
    let paged =
        ask(&sandbox, "searchCustomer", &[("firstname", "tomasz"), ("order", "lastname"), ("limit", "2")]).await;
    assert!(paged.contains("<results>6</results>") && paged.contains("<lastname>2 Kowalewicz</lastname>"));
    assert_eq!(paged.matches("<customer id=").count(), 2);
}

#[tokio::test]
async fn lists_have_names_no_xml_parser_takes() {
    let sandbox = sandbox().await;
    let equipment = ask(&sandbox, "listEquipment", &[]).await;
    assert!(equipment.starts_with("<Equipment>\n  <1>\n    <id>1</id>\n    <date_added>2016-08-10 05:49:50.297976<"));
    let one = ask(&sandbox, "listEquipment", &[("id", "100")]).await;
    assert!(one.contains("<description>Irasburg NAS/Router</description>") && !one.contains("<1>"));
    let statuses = ask(&sandbox, "getCustomerStatuses", &[]).await;
    assert!(statuses.contains("<labels Nowy Status=\"Nowy Status\" Web Request=\"Web Request\" contract=\"contract\""));
    assert!(
        statuses.contains("<substatus_hash name=\"post\" default=\"\" labels=\"Reason\">\n    <values></values>\n")
    );
}

#[tokio::test]
async fn a_customer_is_added_changed_and_deleted_under_conditions() {
    let sandbox = sandbox().await;
    let added = ask(
        &sandbox,
        "addCustomer",
        &[
            ("name", "Jane Doe"),
            ("nickname", "Jane"),
            ("invoicingid", "J1"),
            ("init_date", "09/22/2018"),
            ("address", "Street 1:::Street 2:::Town:::County:::12345:::State"),
            ("customerstatus", "current"),
            ("accounts_email", "accounts@example.com"),
            ("custom_field_7", "blue"),
        ],
    )
    .await;
    let id = added.strip_prefix("OK:").unwrap();
    let data = ask(&sandbox, "getCustomerData", &[("customerid", id), ("customFields", "1")]).await;
    for part in
        ["<init_date>2018-09-22<", "<zip>12345<", "<accountsemail>accounts@example.com<", "<custom_field_7>blue<"]
    {
        assert!(data.contains(part), "{part} in {data}");
    }
    let refused = ask(&sandbox, "deleteCustomer", &[("customerid", id)]).await;
    assert_eq!(refused, "customer must be in a status different than 'current'");
    assert_eq!(ask(&sandbox, "modifyCustomer", &[("customerid", id), ("customerstatus", "post")]).await, "OK");
    assert_eq!(ask(&sandbox, "deleteCustomer", &[("customerid", id)]).await, "OK");
    assert_eq!(
        ask(&sandbox, "getCustomerData", &[("customerid", id)]).await,
        format!("ERROR: customer {id} does not exist")
    );
    let subscribed = ask(&sandbox, "deleteCustomer", &[("customerid", "27738")]).await;
    assert_eq!(subscribed, "no subscriptions should be attached to a customer account");
    assert_eq!(ask(&sandbox, "deleteCustomer", &[("customerid", "27738"), ("deleteSubscription", "1")]).await, "OK");
    assert_eq!(ask(&sandbox, "addInstallerTracking", &[("maintenanceId", "1")]).await, "102OK");
    assert_eq!(sandbox.executed("azotel", "deleteCustomer"), 2);
    assert_eq!(sandbox.received("azotel", "deleteCustomer"), 4);
}

#[tokio::test]
async fn radius_rows_come_as_a_hash() {
    let sandbox = sandbox().await;
    let base = [("table", "radcheck"), ("customerid", "27939")];
    let list = [&base[..], &[("action", "list")]].concat();
    let body = call(sandbox.address("azotel"), "customerRadius", &list).await.body;
    assert!(body.contains("<results soapenc:arrayType=\"xsd:anyType[2]\" xsi:type=\"soapenc:Array\"><item>"));
    assert!(body.contains("<value xsi:type=\"xsd:string\">0ac5ae06a2ec2</value>"));
    let add = [&base[..], &[("action", "add"), ("username", "u"), ("attribute", "a"), ("value", "v")]].concat();
    let body = call(sandbox.address("azotel"), "customerRadius", &add).await.body;
    assert!(body.contains("<action xsi:type=\"xsd:string\">add</action><result xsi:type=\"xsd:string\">OK</result>"));
    let body = call(sandbox.address("azotel"), "customerRadius", &list).await.body;
    assert!(body.contains("xsd:anyType[3]") && body.contains("<op xsi:nil=\"true\" />"));
    let delete = [&base[..], &[("action", "delete"), ("username", "u"), ("attribute", "a")]].concat();
    assert!(
        call(sandbox.address("azotel"), "customerRadius", &delete)
            .await
            .body
            .contains("<result xsi:type=\"xsd:string\">OK")
    );
}

#[tokio::test]
async fn dispatch_errors_are_faults_with_status_500() {
    let sandbox = sandbox().await;
    let unknown = replay(sandbox.address("azotel"), "azotel/72-unknown-method", None).await;
    assert_eq!((unknown.status, between(&unknown.body, "<faultcode>", "<")), (500, "soap:Client"));
    let text = between(&unknown.body, "<faultstring>", "</faultstring>");
    assert!(
        text.starts_with("Failed to locate method (noSuchMethod) in class (OperatorAPI) at ") && text.ends_with(".\n")
    );
    let action = replay(sandbox.address("azotel"), "azotel/78-soapaction-wrong", None).await;
    let expected = "SOAPAction shall match 'uri#method' if present (got 'urn:x#y', expected \
        'http://127.0.0.1/OperatorAPI#pingAPI'\n";
    assert_eq!(between(&action.body, "<faultstring>", "</faultstring>"), expected);
    let urn = replay(sandbox.address("azotel"), "azotel/74-uri-urn", None).await;
    assert!(urn.body.contains("<pingAPIResponse xmlns=\"urn:OperatorAPI\">"));
}
