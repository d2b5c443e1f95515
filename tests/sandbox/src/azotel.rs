//! Azotel SIMPLer: SOAP 1.1 at `/API/operatorapi.pl`, the functions a signup and its support need.
//!
//! The document gives attributes and forms of results, recordings of SOAP::Lite give the bytes. Texts of errors the
//! document does not word, and the form of `customerRadius` over SOAP, are inferred.

mod customers;
mod equipment;
mod ledger;
mod radius;
mod search;

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderName;

use crate::Config;
use crate::call::{Answer, Call, Reply};
use crate::server::Upstream;
use crate::soap::{self, Arguments, Invocation, Perl};
use crate::xml_simple::Node;
use ledger::Ledger;

const PATH: &str = "/API/operatorapi.pl";
const DENIED: &str = "ERROR: access denied";
const STATUSES: &str = include_str!("../seed/azotel-statuses.json");
const CRASH: &str = "DBD::Pg::st execute failed: ERROR: invalid input syntax for integer";

/// What a function answers: its result, or the text of its refusal.
type Outcome = Result<Perl, String>;

pub(crate) struct Azotel {
    username: String,
    password: String,
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    /// Number of the last generated element name; it grows as long as the program runs.
    symbol: u32,
}

/// Why a call did not reach its function; `code` is `Client` or `Server`.
struct Fault {
    code: &'static str,
    text: String,
}

impl Azotel {
    pub(crate) fn new(config: &Config) -> Self {
        let state = State { ledger: Ledger::new(), symbol: 0 };
        Self {
            username: config.credentials.azotel_username.clone(),
            password: config.credentials.azotel_password.clone(),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, call: &Invocation) -> Result<Answer, Fault> {
        let required = required(&call.method).ok_or_else(|| {
            let (method, line) = (&call.method, "at /usr/share/perl5/SOAP/Lite.pm line 2914.");
            Fault::client(format!("Failed to locate method ({method}) in class (OperatorAPI) {line}"))
        })?;
        let mut state = self.state();
        state.symbol += 3;
        let outcome = self.admit(&call.arguments, required).and_then(|()| perform(&mut state.ledger, call));
        let executed = outcome.is_ok();
        let value = outcome.unwrap_or_else(Perl::Text);
        Ok(Answer { reply: reply(200, soap::write_reply(call, state.symbol, &value)), executed })
    }

    fn admit(&self, arguments: &Arguments, required: &[&str]) -> Result<(), String> {
        if arguments.get("api_username") != self.username || arguments.get("api_password") != self.password {
            return Err(DENIED.to_owned());
        }
        match required.iter().find(|name| arguments.get(name).is_empty()) {
            Some(name) => Err(format!("ERROR: missing required attribute {name}")),
            None => Ok(()),
        }
    }
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

impl Upstream for Azotel {
    fn operation(&self, call: &Call) -> String {
        soap::read(&call.body).map(|invocation| invocation.method).unwrap_or_default()
    }

    fn answer(&self, call: &Call) -> Answer {
        if call.path != PATH {
            return Answer::refused(Reply::html(404, "<html><head><title>404 Not Found</title></head></html>\n"));
        }
        if call.method != "POST" {
            return Answer::refused(Reply::empty(405));
        }
        if call.header("content-encoding").is_some() {
            return Answer::refused(Reply::empty(415));
        }
        match accept(call).and_then(|invocation| self.run(&invocation)) {
            Ok(answer) => answer,
            Err(fault) => Answer::refused(fault.reply(call)),
        }
    }

    /// A Perl program that dies in mid-method.
    fn crash(&self, call: &Call) -> Reply {
        Fault { code: "Server", text: CRASH.to_owned() }.reply(call)
    }

    /// There are no sessions: the credentials travel in every call.
    fn expire_sessions(&self) {}

    fn reset(&self) {
        self.state().ledger = Ledger::new();
    }
}

fn required(function: &str) -> Option<&'static [&'static str]> {
    Some(match function {
        "pingAPI" | "searchCustomer" | "getCustomerStatuses" | "listEquipment" => &[],
        "addCustomer" => &["name", "nickname", "invoicingid"],
        "modifyCustomer" | "deleteCustomer" | "getCustomerData" => &["customerid"],
        "checkExistingEmail" => &["email"],
        "addInstallerTracking" => &["maintenanceId"],
        "addCPE" => &["equipid", "customerid"],
        "customerRadius" => &["table", "action", "customerid"],
        _ => return None,
    })
}

fn perform(ledger: &mut Ledger, call: &Invocation) -> Outcome {
    let arguments = &call.arguments;
    match call.method.as_str() {
        "addCustomer" => customers::add(ledger, arguments),
        "modifyCustomer" => customers::modify(ledger, arguments),
        "deleteCustomer" => customers::delete(ledger, arguments),
        "getCustomerData" => customers::data(ledger, arguments),
        "searchCustomer" => search::customers(ledger, arguments),
        "checkExistingEmail" => search::email(ledger, arguments),
        "getCustomerStatuses" => Ok(statuses()),
        "listEquipment" => equipment::list(ledger, arguments),
        "addCPE" => equipment::add_cpe(ledger, arguments),
        "addInstallerTracking" => equipment::add_installer_tracking(ledger, arguments),
        "customerRadius" => radius::customer_radius(ledger, arguments),
        _ => Ok(Perl::text("OK")),
    }
}

/// The document's sample, as XML::Simple writes it.
fn statuses() -> Perl {
    let sample: serde_json::Value = serde_json::from_str(STATUSES).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let list = |name: &str, value: &serde_json::Value| -> Vec<Node> {
        value.as_array().into_iter().flatten().map(|item| Node::leaf(name, &text(item))).collect()
    };
    let mut nodes = list("array", &sample["array"]);
    let labels = sample["labels"].as_object().into_iter().flatten();
    nodes.push(labels.fold(Node::empty("labels"), |node, (name, value)| node.attribute(name, &text(value))));
    for (name, status) in sample["substatus_hash"].as_object().into_iter().flatten() {
        let node = Node::branch("substatus_hash", list("values", &status["values"])).attribute("name", name);
        nodes.push(node.attribute("default", &text(&status["default"])).attribute("labels", &text(&status["labels"])));
    }
    Perl::text(Node::branch("customerStatusesRoot", nodes).write())
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
