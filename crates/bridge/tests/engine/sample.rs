//! A provider that posts JSON, with a secret in the query and sessions if they are wanted.

use std::{sync::Arc, time::Duration};

use bridge::{
    AccountSetup, Fault, Node, Outgoing, Provider, Telemetry, Upstream,
    fault::Kind,
    http::{BaseUrl, HttpReply, HttpRequest, Transport},
    session::{Exchange, Login, Session},
    wire::json,
};
use bumpalo::Bump;
use http::{HeaderName, HeaderValue};
use ispbridge_kit::Reply;
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tokio::time::Instant;
use url::Url;

use crate::contract::fresh_tables;

/// What must not stand in any error.
pub(super) const SECRET: &str = "hunter2";

/// The settings of a test's account.
pub(crate) fn transport() -> Transport {
    Transport {
        allow_private: true,
        connect_seconds: 1.0,
        first_byte_seconds: 1.0,
        idle_seconds: 1.0,
        max_reply_bytes: 64 << 10,
        ..Transport::default()
    }
}

/// An upstream with one account.
pub(super) fn upstream(address: std::net::SocketAddr, transport: Transport, sessions: bool) -> Upstream {
    upstream_at(format!("http://{address}/"), transport, sessions)
}

/// The same at an address that may be a name.
pub(super) fn upstream_at(address: String, transport: Transport, sessions: bool) -> Upstream {
    let base_url = BaseUrl::try_from(address).expect("an address");
    let provider = Box::new(Sample { url: base_url.url().clone(), sessions });
    let setup = AccountSetup { base_url, transport, tables: Arc::new(fresh_tables()).into(), provider };
    let tracer = SdkTracerProvider::default().tracer("test");
    let telemetry = Telemetry::new("sample", &tracer, &SdkMeterProvider::default().meter("test"));
    Upstream::new("sample.ispbridge", [("main".to_owned(), setup)], telemetry).expect("one account")
}

/// A reply with a JSON body.
pub(super) fn json(status: u16, body: &str) -> Vec<u8> {
    Reply::new(status).with("content-type", "application/json").with_body(body).bytes()
}

/// A reply with a header of its own.
pub(super) fn reply(status: u16, (name, value): (&str, &str), body: &[u8]) -> Vec<u8> {
    Reply::new(status).with(name, value).with_body(body).bytes()
}

/// The first bytes of a reply that claims to be longer.
pub(super) fn half() -> Vec<u8> {
    Reply::new(200).with("content-type", "application/json").with_body(r#"{"id":"7"}"#).claiming(99)
}

struct Sample {
    url: Url,
    sessions: bool,
}

impl Provider for Sample {
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        let mut url = self.url.join(call.operation).expect("a path");
        url.set_query(Some(&format!("token={SECRET}")));
        let mut body = String::new();
        json::write(call.arguments, &mut body);
        let request = HttpRequest::post(url, "application/json", body);
        let Some(session) = call.session else { return Ok(request) };
        let session = HeaderValue::try_from(session.key()).expect("a key");
        Ok(request.with_header(HeaderName::from_static("x-session"), session))
    }

    fn reply<'t>(&self, _: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        if let Some(fault) = reply.status_fault() {
            return Err(fault);
        }
        let node = json::parse(&reply.body, arena).map_err(Fault::unreadable)?;
        match node.text_at("error") {
            "" => Ok(node),
            "session" => Err(Fault::session_dead("session")),
            other => Err(Fault::rejected(Kind::NotFound, "NOT_FOUND", other)),
        }
    }

    fn login(&self) -> Option<&dyn Login> {
        self.sessions.then_some(self)
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("ping", &[])
    }
}

impl Login for Sample {
    fn open<'t>(&self, _: &'t Bump) -> Exchange<'t> {
        Exchange { operation: "login", arguments: Node::Map(&[("user", Node::Text("u"))]) }
    }

    fn read(&self, reply: Node<'_>, sent: Instant) -> Result<Session, Fault> {
        Ok(Session::new(reply.text_at("key")).ending_at(sent + Duration::from_secs(3600)))
    }
}
