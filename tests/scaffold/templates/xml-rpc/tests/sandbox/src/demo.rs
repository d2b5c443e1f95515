//! Demo: XML-RPC with one struct; a result with an `error` is a refusal.

mod customers;

use crate::call::{Answer, Call, Reply};
use crate::host::Upstream;
use crate::xmlrpc::{self, Fault, Value};
use crate::{AccountKey, StandIn};
use customers::Customers;

/// Demo, as the sandbox lists it.
pub(crate) const STAND_IN: StandIn = StandIn {
    provider: "demo",
    title: "Demo",
    path: "WIRE_PATH",
    account: &[AccountKey::secret("token", "sandbox-demo-token")],
    new: |config| Box::new(Demo(Customers::new(config))),
};

pub(crate) struct Demo(Customers);

impl Upstream for Demo {
    fn operation(&self, call: &Call) -> String {
        xmlrpc::read_call(&call.body).map(|(method, _)| method).unwrap_or_default()
    }

    fn answer(&self, call: &Call) -> Answer {
        let (method, parameters) = match xmlrpc::read_call(&call.body) {
            Ok(read) => read,
            Err(fault) => return Answer::refused(reply(xmlrpc::write_fault(&fault))),
        };
        let argument = |key: &str| value(&parameters, key);
        match self.0.run(short(&method), &argument("token"), argument) {
            Ok(fields) => Answer::done(reply(xmlrpc::write_reply(&record(fields)))),
            Err(text) => Answer::refused(reply(xmlrpc::write_reply(&record(vec![("error", text.to_owned())])))),
        }
    }

    fn crash(&self, _call: &Call) -> Reply {
        Reply { status: 500, ..reply(xmlrpc::write_fault(&Fault::server("it broke"))) }
    }

    /// There are no sessions.
    fn expire_sessions(&self) {}

    fn reset(&self) {
        self.0.reset();
    }
}

/// The call behind the name of an operation.
fn short(operation: &str) -> &'static str {
    match operation {
        "getCustomer" => "get",
        "addCustomer" => "add",
        "ping" => "ping",
        _ => "",
    }
}

/// A member of the one struct that a call has.
fn value(parameters: &[Value], key: &str) -> String {
    let Some(Value::Struct(members)) = parameters.first() else { return String::new() };
    match members.iter().find(|(name, _)| name == key) {
        Some((_, Value::Text(text))) => text.clone(),
        _ => String::new(),
    }
}

fn record(fields: Vec<(&'static str, String)>) -> Value {
    Value::Struct(fields.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
}

fn reply(body: String) -> Reply {
    Reply::new(200, "text/xml", body)
}
