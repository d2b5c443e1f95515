//! The SOAP door: what SOAP::Lite checks before a method runs, and how it answers.

use http::HeaderName;

use super::Azotel;
use super::told::Told;
use crate::call::{Answer, Call, Reply};
use crate::perl::Perl;
use crate::soap::{self, Invocation};

pub(crate) const PATH: &str = "/API/operatorapi.pl";
const CRASH: &str = "DBD::Pg::st execute failed: ERROR: invalid input syntax for integer";

/// Why a call did not reach its function; `code` is `Client` or `Server`.
struct Fault {
    code: &'static str,
    text: String,
}

impl Fault {
    fn client(text: impl Into<String>) -> Self {
        Self { code: "Client", text: text.into() }
    }

    fn reply(&self, call: &Call) -> Reply {
        let actor = format!("http://{}/", call.header("host").unwrap_or("localhost"));
        reply(500, soap::write_fault(self.code, &self.text, &actor))
    }
}

/// Name of the method a call asks for.
pub(crate) fn operation(call: &Call) -> String {
    soap::read(&call.body).map(|invocation| invocation.method).unwrap_or_default()
}

pub(crate) fn answer(azotel: &Azotel, call: &Call) -> Answer {
    if call.method != "POST" {
        return Answer::refused(Reply::empty(405));
    }
    if call.header("content-encoding").is_some() {
        return Answer::refused(Reply::empty(415));
    }
    match accept(call).and_then(|invocation| run(azotel, &invocation)) {
        Ok(answer) => answer,
        Err(fault) => Answer::refused(fault.reply(call)),
    }
}

/// A Perl program that dies in mid-method.
pub(crate) fn crash(call: &Call) -> Reply {
    Fault { code: "Server", text: CRASH.to_owned() }.reply(call)
}

fn run(azotel: &Azotel, call: &Invocation) -> Result<Answer, Fault> {
    let outcome = azotel.run(&call.method, &call.arguments).ok_or_else(|| {
        let (method, line) = (&call.method, "at /usr/share/perl5/SOAP/Lite.pm line 2914.");
        Fault::client(format!("Failed to locate method ({method}) in class (OperatorAPI) {line}"))
    })?;
    let executed = outcome.is_ok();
    let value = outcome.map_or_else(Perl::Text, Told::soap);
    Ok(Answer { reply: reply(200, soap::write_reply(call, azotel.next_symbol(), &value)), executed })
}

/// Everything SOAP::Lite checks before a method runs.
fn accept(call: &Call) -> Result<Invocation, Fault> {
    let content_type = call.header("content-type").unwrap_or("text/xml");
    if !["text/xml", "application/soap", "multipart/"].iter().any(|known| content_type.starts_with(known)) {
        return Err(Fault::client(format!(
            "Content-Type must be 'text/xml,' 'multipart/*,' 'application/soap+xml,' 'or 'application/dime' instead \
             of '{content_type}'"
        )));
    }
    let invocation = soap::read(&call.body)
        .map_err(|error| Fault::client(format!("Application failed during request deserialization: \n{error}")))?;
    check_class(&invocation)?;
    check_action(call.header("soapaction").unwrap_or_default().trim_matches('"'), &invocation)?;
    Ok(invocation)
}

/// The path of the namespace names the class, its host is not looked at.
fn check_class(call: &Invocation) -> Result<(), Fault> {
    let path = match call.namespace.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map(|(_, path)| path).unwrap_or_default(),
        None => call.namespace.strip_prefix("urn:").unwrap_or(&call.namespace),
    };
    match path.trim_matches('/').replace('/', "::").as_str() {
        "OperatorAPI" => Ok(()),
        "" => Err(Fault::client(format!(
            "Denied access to method ({}) in class (main) at /usr/share/perl5/SOAP/Lite.pm line 2827.",
            call.method
        ))),
        class => Err(Fault::client(format!(
            "Failed to access class ({class}): Can't locate {class}.pm in @INC (you may need to install the {class} \
             module) (@INC contains:) at (eval 813) line 1."
        ))),
    }
}

fn check_action(action: &str, call: &Invocation) -> Result<(), Fault> {
    let Invocation { namespace, method, .. } = call;
    if action.is_empty() || action == format!("{namespace}#{method}") || action == format!("{namespace}/{method}") {
        return Ok(());
    }
    // The missing parenthesis is SOAP::Lite's.
    Err(Fault::client(format!(
        "SOAPAction shall match 'uri#method' if present (got '{action}', expected '{namespace}#{method}'"
    )))
}

fn reply(status: u16, body: String) -> Reply {
    let reply = Reply::new(status, "text/xml; charset=utf-8", body);
    reply.with(HeaderName::from_static("soapserver"), "SOAP::Lite/Perl/1.27")
}
