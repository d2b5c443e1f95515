//! Demo: url-encoded forms both ways; `error` is 0, or 1 with a `text`.

mod customers;

use url::form_urlencoded::{Serializer, parse};

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
        value(call, "command")
    }

    fn answer(&self, call: &Call) -> Answer {
        let argument = |key: &str| value(call, key);
        match self.0.run(short(&argument("command")), &argument("token"), argument) {
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
        self.0.reset();
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
