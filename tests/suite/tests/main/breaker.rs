//! Which failures of an upstream make a service leave it alone: silence and every 5xx, over every wire; not what it refuses,
//! and not a function that one caller's input can break.

use std::time::Duration;

use ispbridge_kit::{
    Act, Hostile, Reply,
    reply::{ERROR_PAGE, LOGIN_PAGE},
};
use tonic_types::StatusExt;

use crate::wires::{Codec, Site, Verb, WIRES, Wire, calls};

/// Outcomes of which a service concludes something, and some room for probes of a slow machine.
const MOST: usize = 20 + 4;

const SOAP_FAULT: &str = "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><soap:Fault>\
    <faultcode>soap:Server</faultcode><faultstring>died at X.pm line 3.</faultstring></soap:Fault></soap:Body></soap:Envelope>";
const XML_RPC_FAULT: &str = "<?xml version=\"1.0\"?><methodResponse><fault><value><struct>\
    <member><name>faultCode</name><value><string>Server</string></value></member>\
    <member><name>faultString</name><value><string>died at X.pm line 3.</string></value></member>\
    </struct></value></fault></methodResponse>";
const XML_RPC_REFUSAL: &str = "<?xml version=\"1.0\"?><methodResponse><params><param><value><struct>\
    <member><name>error</name><value><string>Illegal zip</string></value></member>\
    </struct></value></param></params></methodResponse>";
const SOAP_REFUSAL: &str = "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>\
    <addCustomerResponse xmlns=\"http://x\"><result>nickname already exists</result></addCustomerResponse></soap:Body></soap:Envelope>";

fn json(status: u16, body: &str) -> Reply {
    Reply::new(status).with("content-type", "application/json").with_body(body)
}

fn form(status: u16, body: &str) -> Reply {
    Reply::new(status).with("content-type", "application/x-www-form-urlencoded").with_body(body)
}

fn xml(status: u16, body: &str) -> Reply {
    Reply::new(status).with("content-type", "text/xml; charset=utf-8").with_body(body)
}

impl Wire {
    /// Failures of the upstream as a whole.
    fn outages(self) -> Vec<Reply> {
        let mut all = vec![Reply::page(500, ERROR_PAGE), Reply::page(503, ERROR_PAGE), Reply::new(502)];
        all.extend(match self.codec {
            Codec::Rest => vec![
                json(500, r#"{"errors":["it broke"]}"#),
                json(503, r#"{"message":"later"}"#),
                json(500, r#"{"ip":"1.2.3.4","result":"it broke"}"#),
                json(500, "{}"),
            ],
            Codec::Form => vec![form(500, "error=1&text=it+broke"), form(503, "")],
            Codec::XmlRpc => vec![xml(500, XML_RPC_REFUSAL), xml(500, "<methodResponse>")],
            Codec::Soap => vec![xml(500, SOAP_REFUSAL), xml(503, SOAP_REFUSAL)],
        });
        all
    }

    /// What the upstream refuses, and functions that failed.
    fn answers(self) -> Vec<Reply> {
        match self.codec {
            Codec::Rest if self == Wire::AZOTEL_REST => {
                vec![json(200, r#"{"result":"nickname already exists"}"#), json(400, r#"{"result":"no"}"#)]
            }
            Codec::Rest => vec![
                json(404, r#"{"errors":["no such thing"]}"#),
                json(422, r#"{"errors":{"name":["is already taken"]}}"#),
                Reply::new(429),
                // Credentials that are refused, whatever the status.
                Reply::page(500, LOGIN_PAGE),
            ],
            Codec::Form => vec![form(200, "error=1&text=no"), form(422, "error=1&text=no"), Reply::new(429)],
            Codec::XmlRpc => vec![xml(200, XML_RPC_REFUSAL), xml(200, XML_RPC_FAULT), xml(500, XML_RPC_FAULT)],
            Codec::Soap => vec![xml(200, SOAP_REFUSAL), xml(500, SOAP_FAULT), xml(200, SOAP_FAULT)],
        }
    }
}

/// The reason of one failed call.
async fn reason(site: &Site, verb: Verb) -> String {
    let status = site.call(verb, "main", Duration::from_secs(25)).await.unwrap_err();
    status.get_details_error_info().unwrap().reason
}

async fn always(wire: Wire, reply: &Reply) -> (Hostile, Site) {
    let upstream = wire.upstream(vec![Act::Answer(reply.bytes())]).await;
    let site = Site::at(wire, &upstream).await;
    (upstream, site)
}

#[tokio::test]
async fn every_status_of_failure_makes_a_service_leave_its_upstream_alone() {
    for &wire in WIRES {
        for reply in wire.outages() {
            let shown = format!("{wire:?} {} {}", reply.status, String::from_utf8_lossy(&reply.body));
            let (upstream, site) = always(wire, &reply).await;
            for _ in 0..100 {
                reason(&site, Verb::Read).await;
            }
            assert_eq!(reason(&site, Verb::Write).await, "UPSTREAM_BREAKER_OPEN", "{shown}");
            assert!(calls(&upstream) <= MOST, "{shown}: {} requests", calls(&upstream));
        }
    }
}

#[tokio::test]
async fn what_an_upstream_answers_keeps_nobody_else_from_it() {
    for &wire in WIRES {
        for reply in wire.answers() {
            let shown = format!("{wire:?} {} {}", reply.status, String::from_utf8_lossy(&reply.body));
            let (upstream, site) = always(wire, &reply).await;
            for _ in 0..40 {
                assert_ne!(reason(&site, Verb::Write).await, "UPSTREAM_BREAKER_OPEN", "{shown}");
            }
            upstream.act(wire.acting(vec![Act::Answer(wire.reply(Verb::Read).bytes())]));
            // Refused credentials rest for themselves.
            if !shown.contains("password") {
                site.ask(Verb::Read).await;
            }
        }
    }
}
