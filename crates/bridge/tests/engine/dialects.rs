//! One account that speaks SOAP for one operation and JSON for another, each by tables of its own.

use std::sync::Arc;

use bridge::{
    AccountSetup, DialectId, Dialects, Fault, Node, Outgoing, Provider, Telemetry, Upstream,
    fault::{Kind, Outcome},
    http::{BaseUrl, HttpReply, HttpRequest},
    wire::{
        self, json,
        soap::{self, ElementForm},
        xml_rpc,
    },
    xml::document::Limits,
};
use bumpalo::Bump;
use ispbridge_kit::{Act, Hostile, Reply};
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use url::Url;

use super::{
    Answer, request, said,
    sample::{json, transport},
};
use crate::contract::{fresh_tables, modern};

const OLD: DialectId = DialectId(0);
const MODERN: DialectId = DialectId(1);

struct Both(Url);

impl Provider for Both {
    fn dialect(&self, operation: &str) -> DialectId {
        match operation {
            "Old" | "rpc" => OLD,
            "modern" => MODERN,
            _ => DialectId(2),
        }
    }

    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        if self.dialect(call.operation) == OLD {
            let body = soap::write_literal(call.operation, "urn:old", ElementForm::Qualified, call.arguments);
            return soap::post(self.0.clone(), "urn:old/Old", body.map_err(Fault::invalid)?);
        }
        let mut body = String::new();
        json::write(call.arguments, &mut body);
        Ok(HttpRequest::post(self.0.clone(), "application/json", body))
    }

    /// The old API answers JSON, as a text in SOAP or in XML-RPC.
    fn reply<'t>(&self, operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        let (text, limits) = (reply.text_in(arena), Limits::default());
        let envelope = match operation {
            "Old" => soap::parse_outputs(text, operation, &limits, arena),
            "rpc" => xml_rpc::parse_reply(text, &limits, arena),
            _ => return Ok(json::parse(&reply.body, arena)?),
        };
        let answer = wire::answered(reply, envelope, |said| said.into())?;
        let inside = answer.get("OldResult").unwrap_or(answer).scalar().unwrap_or("");
        Ok(json::parse(inside.as_bytes(), arena)?)
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("modern", &[])
    }
}

fn xml(body: &str) -> Act {
    Act::Answer(Reply::new(200).with("content-type", "text/xml").with_body(body).bytes())
}

/// JSON with what XML has to escape, and a key that no element could have.
const INSIDE: &str = r#"{&quot;id&quot;:&quot;7&quot;,&quot;Nameserver 1&quot;:&quot;&lt;ns&gt; \u0141&amp;&quot;}"#;

async fn both(acts: Vec<Act>) -> (Upstream, Hostile) {
    let server = Hostile::script(acts).await;
    let base_url = BaseUrl::try_from(format!("http://{}/", server.address)).expect("an address");
    let tables = Dialects::new([fresh_tables(), modern()].map(Arc::new));
    let provider = Box::new(Both(base_url.url().clone()));
    let setup = AccountSetup { base_url, transport: transport(), tables, provider };
    let tracer = SdkTracerProvider::default().tracer("test");
    let telemetry = Telemetry::new("sample", &tracer, &SdkMeterProvider::default().meter("test"));
    let upstream = Upstream::new("sample.ispbridge", [("main".to_owned(), setup)], telemetry);
    (upstream.expect("one account"), server)
}

async fn call(upstream: &Upstream, operation: &'static str) -> Answer {
    upstream.call(&request())?.write(operation, request().into_inner()).await
}

#[tokio::test]
async fn each_operation_has_the_words_and_the_wire_of_its_dialect() {
    let soap =
        format!("<e:Envelope><e:Body><OldResponse><OldResult>{INSIDE}</OldResult></OldResponse></e:Body></e:Envelope>");
    let rpc = format!(
        "<methodResponse><params><param><value><string>{INSIDE}</string></value></param></params></methodResponse>"
    );
    let (upstream, server) = both(vec![xml(&soap), Act::Answer(json(200, r#"{"id":"7"}"#)), xml(&rpc)]).await;
    for operation in ["Old", "modern", "rpc"] {
        assert_eq!(call(&upstream, operation).await.expect("an answer").get_ref().id, "7", "{operation}");
    }
    let requests = server.requests();
    assert!(
        requests[0].contains("soapaction: \"urn:old/Old\"")
            && requests[0].contains("<Old xmlns=\"urn:old\"><fullname>n</fullname></Old>"),
        "{}",
        requests[0]
    );
    assert!(requests[1].ends_with(r#"{"displayName":"n"}"#), "{}", requests[1]);
}

#[tokio::test]
async fn a_text_that_is_no_json_leaves_the_outcome_open() {
    let soap = "<e:Envelope><e:Body><OldResponse><OldResult>{\"id\":</OldResult></OldResponse></e:Body></e:Envelope>";
    let (upstream, _server) = both(vec![xml(soap)]).await;
    let expected = (Kind::Unreadable, Outcome::Unknown, "UPSTREAM_REPLY_UNREADABLE");
    assert_eq!(said(call(&upstream, "Old").await), expected);
}

#[tokio::test]
async fn a_dialect_that_the_account_does_not_have_is_not_sent() {
    let (upstream, server) = both(vec![Act::Mute]).await;
    assert_eq!(said(call(&upstream, "other").await), (Kind::Unimplemented, Outcome::NotSent, "DIALECT"));
    assert_eq!(server.requests().len(), 0);
}
