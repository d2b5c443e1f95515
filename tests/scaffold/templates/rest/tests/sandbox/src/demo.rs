//! Demo: REST with JSON and a bearer token.

mod customers;

use serde_json::{Value, json};

use crate::call::{Answer, Call, Reply};
use crate::host::Upstream;
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
        match self.0.run(operation, token, |key| text(key).to_owned()) {
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
        self.0.reset();
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
