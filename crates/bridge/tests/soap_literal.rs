//! Document/literal over a real socket to PHP's own SOAP server, which reads calls by a WSDL.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use bridge::{
    Fault, Node,
    fault::{Kind, Outcome},
    http::{BaseUrl, Client, HttpReply},
    wire::{
        self, json,
        soap::{self, ElementForm},
    },
    xml::document::Limits,
};
use bumpalo::Bump;
use ispbridge_parts::PHP_SOAP;
use tokio::time::Instant;

use crate::engine::transport;

const NAMESPACE: &str = "http://tempuri.org/";

struct Php {
    process: Child,
    port: String,
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

/// `None`, and a line that says why, where PHP or its SOAP extension is missing.
fn start() -> Option<Php> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/soap/literal.php");
    let mut php = PHP_SOAP.command()?;
    let php = php.args(["-d", "display_errors=stderr", "-S", "127.0.0.1:0"]).arg(script).stderr(Stdio::piped());
    let mut process = php.spawn().expect("PHP starts");
    let mut said = BufReader::new(process.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("(http://127.0.0.1:") {
        line.clear();
        assert!(said.read_line(&mut line).expect("a line") > 0, "PHP ended");
    }
    // Nobody reads on: a full pipe would stop PHP.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(')').next()).expect("a port").to_owned();
    Some(Php { process, port })
}

async fn call(php: &Php, form: ElementForm, arguments: Node<'_>) -> HttpReply {
    let base = BaseUrl::try_from(format!("http://127.0.0.1:{}/", php.port)).expect("an address");
    let client = Client::new(&base, &transport()).expect("a client");
    let mut url = base.url().clone();
    url.set_query(Some(if form == ElementForm::Qualified { "qualified" } else { "unqualified" }));
    let body = soap::write_literal("Describe", NAMESPACE, form, arguments).expect("a call");
    let request = soap::post(url, "http://tempuri.org/Describe", body).expect("a request");
    client.send(&request, true, Instant::now() + Duration::from_secs(20)).await.expect("a reply")
}

/// All outputs, the one that is JSON in a text read as JSON.
fn outputs<'t>(reply: &'t HttpReply, arena: &'t Bump) -> Result<(Node<'t>, Node<'t>), Fault> {
    let envelope = soap::parse_outputs(reply.text_in(arena), "Describe", &Limits::default(), arena);
    let all = wire::answered(reply, envelope, |said| said.into())?;
    Ok((all, json::parse(all.text_at("json").as_bytes(), arena)?))
}

#[tokio::test]
async fn php_reads_a_call_of_either_form_by_its_schema() {
    let Some(php) = start() else { return };
    for form in [ElementForm::Qualified, ElementForm::Unqualified] {
        let text = "Łucja <& \"x\"\n]]>";
        let arguments = [
            ("text", Node::Text(text)),
            ("count", Node::Number("-3")),
            ("flag", Node::Bool(true)),
            ("note", Node::Null),
            ("tag", Node::List(&[Node::Text("one"), Node::Text("")])),
            ("inner", Node::Map(&[("a", Node::Text("b"))])),
        ];
        let (reply, arena) = (call(&php, form, Node::Map(&arguments)).await, Bump::new());
        let (all, json) = outputs(&reply, &arena).expect("an answer");
        let said = json.get("said").expect("what PHP has read");
        let expected = [
            ("text", Node::Text(text)),
            ("count", Node::Number("-3")),
            ("flag", Node::Bool(true)),
            ("note", Node::Null),
            ("tag", Node::List(&[Node::Text("one"), Node::Text("")])),
            ("inner", Node::Map(&[("a", Node::Text("b"))])),
        ];
        assert_eq!(said, Node::Map(&expected));
        assert_eq!(json.text_at("action"), "\"http://tempuri.org/Describe\"");
        let rest = [
            ("code", Node::Text("7")),
            ("item", Node::List(&[Node::Text("a"), Node::Text("<b>")])),
            ("nothing", Node::Null),
            ("inner", Node::Map(&[("a", Node::Text("x"))])),
        ];
        for (name, value) in rest {
            assert_eq!(all.get(name), Some(value), "{name} of {all:?}");
        }
    }
}

#[test]
fn the_form_says_which_elements_are_in_the_namespace() {
    // PHP reads elements by their local names, so that another reader has to look.
    for (form, inside) in [(ElementForm::Qualified, Some(NAMESPACE)), (ElementForm::Unqualified, None)] {
        let arguments = [("inner", Node::Map(&[("a", Node::Text("b"))]))];
        let call = soap::write_literal("Describe", NAMESPACE, form, Node::Map(&arguments)).expect("a call");
        let document = roxmltree::Document::parse(&call).expect("XML");
        let named =
            |name: &str| document.descendants().find(|node| node.tag_name().name() == name).expect("an element");
        let found = ["Describe", "inner", "a"].map(|name| named(name).tag_name().namespace());
        assert_eq!(found, [Some(NAMESPACE), inside, inside]);
    }
}

#[tokio::test]
async fn a_fault_of_php_is_a_refusal_with_its_words() {
    let Some(php) = start() else { return };
    let arguments = [
        ("text", Node::Text("fail")),
        ("flag", Node::Bool(false)),
        ("note", Node::Null),
        ("inner", Node::Map(&[("a", Node::Text(""))])),
    ];
    let (reply, arena) = (call(&php, ElementForm::Qualified, Node::Map(&arguments)).await, Bump::new());
    let fault = outputs(&reply, &arena).expect_err("a refusal");
    assert_eq!((fault.kind(), fault.outcome()), (Kind::FailedPrecondition, Outcome::Rejected));
    assert_eq!((fault.upstream_code(), fault.upstream_message()), (Some("Client.Limit"), Some("too many & too much")));
}
