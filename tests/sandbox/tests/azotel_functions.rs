//! Azotel: every function once on each transport, without its required attributes, and with a wrong password.

mod story;

use std::net::SocketAddr;

use ispbridge_sandbox::Sandbox;
use serde_json::{Map, Value};

use crate::wire::{between, replay, sandbox, send};
use story::STORY;

/// A function, its required attributes, others, and what is told.
struct Step(&'static str, &'static str, &'static str, Told);

enum Told {
    /// The whole answer of both transports.
    Word(&'static str),
    /// A part of SOAP's answer, a part of REST's.
    Parts(&'static str, &'static str),
}

#[derive(Clone, Copy)]
enum Transport {
    Soap,
    Rest,
}

type Attributes<'a> = Vec<(&'a str, &'a str)>;

impl Transport {
    async fn ask(self, address: SocketAddr, function: &str, attributes: &Attributes<'_>) -> String {
        match self {
            Self::Soap => soap(address, function, attributes).await,
            Self::Rest => match rest(address, &format!("POST /restapi/API/{function}"), attributes).await {
                Value::String(word) => word,
                result => result.to_string(),
            },
        }
    }
}

/// Always the apache Map, which takes every name.
async fn soap(address: SocketAddr, function: &str, attributes: &Attributes<'_>) -> String {
    let items: String = attributes
        .iter()
        .map(|(name, value)| format!("<item><key>{name}</key><value>{value}</value></item>"))
        .collect();
    let body = format!(
        "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:map=\"http://xml.apache.org/xml-soap\">\
         <soap:Body><{function} xmlns=\"http://127.0.0.1/OperatorAPI\"><p xsi:type=\"map:Map\">{items}</p></{function}>\
         </soap:Body></soap:Envelope>"
    );
    let reply = send(address, "POST /API/operatorapi.pl", "Content-Type: text/xml\r\n", &body).await.unwrap();
    let (_, result) = between(&reply.body, "<s-gensym", "</s-gensym").split_once('>').unwrap();
    result.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

async fn rest(address: SocketAddr, line: &str, attributes: &Attributes<'_>) -> Value {
    let body: Map<String, Value> =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let headers = "Accept: application/json\r\nContent-Type: application/json\r\n";
    let reply = send(address, line, headers, &Value::Object(body).to_string()).await.unwrap();
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{line}");
    let answer = reply.json();
    assert_eq!(answer["ip"], "127.0.0.1");
    answer["result"].clone()
}

fn credentials(password: &'static str) -> Attributes<'static> {
    vec![("api_username", "apiuser"), ("api_password", password)]
}

fn pairs(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    text.split('&').filter_map(|pair| pair.split_once('='))
}

async fn tell(transport: Transport) -> Sandbox {
    let sandbox = sandbox().await;
    for Step(function, required, others, told) in &STORY {
        let all: Attributes<'_> =
            credentials("apipass").into_iter().chain(pairs(required)).chain(pairs(others)).collect();
        let answer = transport.ask(sandbox.address("azotel"), function, &all).await;
        match (told, transport) {
            (Told::Word(word), _) => assert_eq!(answer, *word, "{function}"),
            (Told::Parts(part, _), Transport::Soap) | (Told::Parts(_, part), Transport::Rest) => {
                assert!(answer.contains(part), "{function}: {part} in {answer}");
            }
        }
        assert_eq!(sandbox.executed("azotel", function), 1, "{function}");
    }
    sandbox
}

async fn refuse(transport: Transport) {
    let sandbox = sandbox().await;
    for Step(function, required, others, _) in &STORY {
        let all: Attributes<'_> = pairs(required).chain(pairs(others)).collect();
        let wrong = [credentials("wrong"), all.clone()].concat();
        assert_eq!(
            transport.ask(sandbox.address("azotel"), function, &wrong).await,
            "ERROR: access denied",
            "{function}"
        );
        for (missing, _) in pairs(required) {
            let rest = all.iter().copied().filter(|(name, _)| *name != missing && *name != "40" && *name != "rowid");
            let lacking: Attributes<'_> = credentials("apipass").into_iter().chain(rest).collect();
            let answer = transport.ask(sandbox.address("azotel"), function, &lacking).await;
            let name = if missing.starts_with(|letter: char| letter.is_ascii_digit()) { "columnid1" } else { missing };
            assert_eq!(answer, format!("ERROR: missing required attribute {name}"), "{function}");
        }
        assert_eq!(sandbox.executed("azotel", function), 0, "{function}");
    }
}

#[tokio::test]
async fn every_function_answers_over_soap() {
    tell(Transport::Soap).await;
}

#[tokio::test]
async fn every_function_answers_over_rest() {
    tell(Transport::Rest).await;
}

#[tokio::test]
async fn soap_refuses_strangers_and_calls_that_lack_something() {
    refuse(Transport::Soap).await;
}

#[tokio::test]
async fn rest_refuses_strangers_and_calls_that_lack_something() {
    refuse(Transport::Rest).await;
}

#[tokio::test]
async fn the_documents_resources_take_a_body_with_every_verb() {
    let sandbox = sandbox().await;
    let row = [("customerid", "2"), ("tablename", "voip"), ("rowid", "1"), ("41", "Number")];
    let steps = [
        ("PUT /restapi/customer", vec![("customerid", "2"), ("email", "new@example.com")], "\"OK\""),
        ("PUT /customer", vec![("customerid", "2"), ("name", "Łucja \"L\"")], "\"OK\""),
        ("POST /API/checkExistingEmail", vec![("email", "new@example.com")], "\"2\""),
        ("POST /restapi/API/checkExistingEmail", vec![("email", "john@example.com")], "0"),
        ("POST /API/searchCustomer", vec![("firstname", "łucja")], "\"lastname\":\"\\\"L\\\"\""),
        ("POST /restapi/customTableEntries", row[..2].iter().chain(&row[3..]).copied().collect(), "\"OK: 4\""),
        ("PUT /restapi/customTableEntries", row.to_vec(), "\"OK\""),
        ("GET /restapi/customTableEntries", row[..1].to_vec(), "\"1\":{\"39\":\"VoIPUsername1\""),
        ("GET /customTableEntries", vec![("columnid", "41"), ("value", "Number")], "\"2\":{\"1\":{"),
        ("DELETE /restapi/customTableEntries", vec![("customerid", "2"), ("rowid", "1")], "\"OK\""),
        ("DELETE /customTableEntries", vec![("customerid", "2"), ("rowid", "1")], "\"ERROR: no such row\""),
        ("POST /restapi/listRadiusSessions", vec![("username", "USERNAME")], "\"acctstoptime\":null"),
        ("POST /restapi/listRadiusSessions", vec![("username", "nobody")], "{\"radius_sessions\":[]}"),
    ];
    for (line, attributes, part) in steps {
        let attributes = [credentials("apipass"), attributes].concat();
        let result = rest(sandbox.address("azotel"), line, &attributes).await.to_string();
        assert!(result.contains(part), "{line}: {part} in {result}");
    }
    assert_eq!(sandbox.executed("azotel", "deleteCustomTableEntries"), 1);
    for line in ["GET /restapi/customer", "POST /restapi/API/noSuchFunction", "GET /restapi/API/pingAPI", "GET /"] {
        assert_eq!(send(sandbox.address("azotel"), line, "", "{}").await.unwrap().status, 404, "{line}");
    }
}

#[tokio::test]
async fn rest_replies_are_what_perl_prints() {
    let sandbox = sandbox().await;
    let body = r#"{"api_username":"apiuser","api_password":"apipass","customerid":"2","quantity":"2"}"#;
    let reply = send(sandbox.address("azotel"), "POST /restapi/API/generateIP", "", body).await.unwrap();
    let expected = "{\n   \"ip\" : \"127.0.0.1\",\n   \"result\" : {\n      \"wibnumber\" : \"100\",\n      \
                    \"iptype\" : \"Public\",\n      \"ip\" : [\n         \"192.168.99.58\",\n         \
                    \"192.168.99.59\"\n      ],\n      \"quantity\" : \"2\",\n      \"gatewayid\" : \"1\",\n      \
                    \"generated\" : 2,\n      \"interfaceid\" : [\n         \"20\"\n      ]\n   }\n}\n";
    assert_eq!(reply.body, expected);
    let broken = send(sandbox.address("azotel"), "POST /restapi/API/pingAPI", "", "{\"api_username\":").await.unwrap();
    assert!(broken.json()["result"].as_str().unwrap().starts_with("ERROR: malformed JSON string"));
    let products = r#"{"api_username":"apiuser","api_password":"apipass","productid":["1","3"]}"#;
    let reply = send(sandbox.address("azotel"), "POST /API/getProducts", "", products).await.unwrap().json();
    assert_eq!(reply["result"]["product"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn recorded_arrays_and_numeric_names_are_understood() {
    let sandbox = sandbox().await;
    let added = replay(sandbox.address("azotel"), "azotel/07-addCustomTableEntries-numericKeys", None).await;
    assert!(added.body.contains(">OK: 4</s-gensym"), "{}", added.body);
    let products = replay(sandbox.address("azotel"), "azotel/08-getProducts-array", None).await;
    assert_eq!(products.body.matches("&lt;product&gt;").count(), 3);
    let refused = replay(sandbox.address("azotel"), "azotel/19-checkEUPLogin-bad", None).await;
    assert!(refused.body.contains(">ERROR: invalid username/password</s-gensym"), "{}", refused.body);
}

#[tokio::test]
async fn addresses_are_generated_as_the_samples_show_and_kept_only_when_told() {
    let sandbox = sandbox().await;
    let ask = async |more: &[(&'static str, &'static str)]| {
        let attributes = [&credentials("apipass")[..], &[("customerid", "27939")], more].concat();
        rest(sandbox.address("azotel"), "POST /API/generateIP", &attributes).await
    };
    for _ in 0..2 {
        assert_eq!(ask(&[]).await["ip"], serde_json::json!(["192.168.99.58"]));
    }
    assert_eq!(ask(&[("syncRADIUS", "")]).await, "ERROR: saveInDb attribute must be present");
    let saved = ask(&[("quantity", "10"), ("saveInDb", ""), ("syncRADIUS", "")]).await;
    assert_eq!(saved["ip"][9], "192.168.99.67");
    let next = ask(&[("quantity", "10"), ("iptype", "public")]).await;
    assert_eq!(
        (&next["ip"][0], &next["generated"], &next["quantity"]),
        (&"192.168.99.68".into(), &10.into(), &"10".into())
    );
    assert_eq!(ask(&[("iptype", "private")]).await["iptype"], "Canopy");
    let list =
        [&credentials("apipass")[..], &[("customerid", "27939"), ("table", "radreply"), ("action", "list")]].concat();
    let rows = rest(sandbox.address("azotel"), "POST /API/customerRadius", &list).await;
    assert_eq!(
        (&rows["results"][0]["attribute"], &rows["results"][0]["value"]),
        (&"Framed-IP-Address".into(), &"192.168.99.58".into())
    );
}

#[tokio::test]
async fn what_must_be_unique_or_must_exist_is_refused_in_words() {
    let sandbox = sandbox().await;
    let refusals = [
        ("addCommunityCode", "code=Community Code 2", "code already exist"),
        ("modifyCommunityCode", "code=Community Code 2&new_code=Community Code 3", "code already exist"),
        ("deleteCommunityCode", "code=Cork", "ERROR: communitycode Cork does not exist"),
        ("addEquipment", "nickname=NS2", "nickname already exist"),
        ("modifyEquipment", "equipid=1&nickname=NS2", "nickname already exist"),
        ("addCreditCardToken", "customerid=2&cc_last4=123&module_id=1&cc_token=t", "ERROR: invalid value for cc_last4"),
        ("addSubscription", "customerid=2&productid=99", "ERROR: product 99 does not exist"),
        ("payInvoice", "invoiceNo=1&amount=1&paymentType=cash", "ERROR: invoice 1 does not exist"),
        ("addIP", "customerid=2&ip=10.0.0.5", "ip already exist"),
        ("addRADIUSdetails", "customerid=2&radius_username=GuestMarquette", "radius_username already exist"),
        ("addCustomTableEntries", "customerid=2&7=x", "ERROR: unknown column 7"),
        ("deleteCustomer", "customerid=27831", "no invoices should be generated for a customer account"),
        ("modifyCustomer", "customerid=2&init_date=2018-09-22", "ERROR: invalid value for init_date"),
        ("addSite", "sitename=Mast&nextmaintenancedate=09/22/2018", "ERROR: invalid value for nextmaintenancedate"),
        (
            "addSubaccount",
            "masterCustomerId=2&subCustomerId=3&master_allow_eup_relogin=1",
            "ERROR: invalid value for master_allow_eup_relogin",
        ),
        ("generateInvoices", "type=old", "ERROR: type must be new or recurring"),
    ];
    for (function, attributes, text) in refusals {
        let attributes: Attributes<'_> = credentials("apipass").into_iter().chain(pairs(attributes)).collect();
        for transport in [Transport::Soap, Transport::Rest] {
            assert_eq!(transport.ask(sandbox.address("azotel"), function, &attributes).await, text, "{function}");
        }
        assert_eq!(sandbox.executed("azotel", function), 0, "{function}");
    }
}
