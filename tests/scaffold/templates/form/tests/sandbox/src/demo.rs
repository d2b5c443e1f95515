//! Demo: url-encoded forms both ways; `error` is 0, or 1 with a `text`.

use std::sync::{Mutex, PoisonError};

use url::form_urlencoded::{Serializer, parse};

use crate::call::{Answer, Call, Reply};
use crate::host::Upstream;
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
        value(call, "command")
    }

    fn answer(&self, call: &Call) -> Answer {
        let argument = |key: &str| value(call, key);
        match self.run(short(&argument("command")), &argument("token"), argument) {
            Ok(fields) => Answer::done(form(&[vec![("error", "0".to_owned())], fields].concat())),
            Err(text) => Answer::refused(form(&[("error", "1".to_owned()), ("text", text.to_owned())])),
        }
    }

    fn crash(&self, _call: &Call) -> Reply {
        Reply::html(500, "<html><head><title>500 Internal Server Error</title></head><body></body></html>\n")
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
        "get_customer" => "get",
        "add_customer" => "add",
        "ping" => "ping",
        _ => "",
    }
}

fn value(call: &Call, key: &str) -> String {
    parse(&call.body).find(|(name, _)| name == key).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn form(fields: &[(&str, String)]) -> Reply {
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    Reply::new(200, "application/x-www-form-urlencoded", body)
}
