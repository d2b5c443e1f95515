//! Demo: REST with JSON and a bearer token.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

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
        let is_one = call.path.strip_prefix("/customers/").is_some_and(|id| !id.is_empty());
        format!("{} {}", call.method, if is_one { "/customers/{id}" } else { call.path.as_str() })
    }

    fn answer(&self, call: &Call) -> Answer {
        let token = call.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let body = serde_json::from_slice::<Value>(&call.body).unwrap_or_default();
        let id = call.path.rsplit('/').next().unwrap_or_default();
        let text = |key: &str| if key == "id" { id } else { body[key].as_str().unwrap_or_default() };
        let (operation, status) = match self.operation(call).as_str() {
            "GET /customers/{id}" => ("get", 200),
            "POST /customers" => ("add", 201),
            "GET /ping" => ("ping", 200),
            _ => ("", 404),
        };
        match self.run(operation, token, |key| text(key).to_owned()) {
            Ok(fields) => {
                let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value)));
                Answer::done(Reply::json(status, &Value::Object(fields.collect())))
            }
            Err(text) => Answer::refused(refusal(text)),
        }
    }

    fn crash(&self, _call: &Call) -> Reply {
        Reply::json(500, &json!({ "error": "it broke" }))
    }

    /// There are no sessions.
    fn expire_sessions(&self) {}

    fn reset(&self) {
        *self.customers.lock().unwrap_or_else(PoisonError::into_inner) = seeded();
    }
}

fn refusal(text: &str) -> Reply {
    let status = match text {
        "access denied" => 401,
        "already taken" => 409,
        "name is required" => 422,
        _ => 404,
    };
    Reply::json(status, &json!({ "error": text }))
}
