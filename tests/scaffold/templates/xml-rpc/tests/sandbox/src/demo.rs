//! Demo: XML-RPC with one struct; a result with an `error` is a refusal.

use std::sync::{Mutex, PoisonError};

use crate::call::{Answer, Call, Reply};
use crate::host::Upstream;
use crate::xmlrpc::{self, Fault, Value};
use crate::{AccountKey, Config, StandIn};

/// Demo, as the sandbox lists it.
pub(crate) const STAND_IN: StandIn = StandIn {
    provider: "demo",
    title: "Demo",
    path: "WIRE_PATH",
    account: &[AccountKey::secret("token", "sandbox-demo-token")],
    new: |config| Box::new(Demo::new(config)),
};

/// The id of the customer who is there from the beginning; each further one has the next.
const FIRST_ID: usize = 7;

pub(crate) struct Demo {
    token: String,
    /// Name and e-mail address of each customer.
    customers: Mutex<Vec<(String, String)>>,
}

/// What a call brings back, or the words of its refusal.
type Outcome = Result<Vec<(&'static str, String)>, &'static str>;

impl Demo {
    fn new(config: &Config) -> Self {
        Self { token: config.credentials.get("demo", "token").to_owned(), customers: Mutex::new(seeded()) }
    }

    fn run(&self, operation: &str, token: &str, argument: impl Fn(&str) -> String) -> Outcome {
        if token != self.token {
            return Err("access denied");
        }
        let mut customers = self.customers.lock().unwrap_or_else(PoisonError::into_inner);
        let (id, name, email) = (argument("id"), argument("name"), argument("email"));
        match operation {
            "ping" => Ok(Vec::new()),
            "get" => {
                let place = id.parse::<usize>().ok().and_then(|id| id.checked_sub(FIRST_ID));
                let (name, email) = place.and_then(|at| customers.get(at)).ok_or("no such customer")?;
                Ok(vec![("id", id), ("name", name.clone()), ("email", email.clone())])
            }
            "add" if name.is_empty() => Err("name is required"),
            "add" if !email.is_empty() && customers.iter().any(|(_, taken)| *taken == email) => Err("already taken"),
            "add" => {
                customers.push((name, email));
                Ok(vec![("id", (FIRST_ID + customers.len() - 1).to_string())])
            }
            _ => Err("no such call"),
        }
    }
}

fn seeded() -> Vec<(String, String)> {
    vec![("Thandi Example".to_owned(), "thandi@example.com".to_owned())]
}

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
        match self.run(short(&method), &argument("token"), argument) {
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
        *self.customers.lock().unwrap_or_else(PoisonError::into_inner) = seeded();
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
