//! Demo: SOAP 1.1, rpc/encoded with one struct; a result that is a text is a refusal.

mod customers;

use crate::call::{Answer, Call, Reply};
use crate::perl::Perl;
use crate::host::Upstream;
use crate::soap;
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
        soap::read(&call.body).map(|invocation| invocation.method).unwrap_or_default()
    }

    fn answer(&self, call: &Call) -> Answer {
        let invocation = match soap::read(&call.body) {
            Ok(invocation) => invocation,
            Err(text) => return Answer::refused(reply(500, soap::write_fault("Client", &text, ""))),
        };
        let argument = |key: &str| invocation.arguments.get(key).to_owned();
        let outcome = self.0.run(short(&invocation.method), &argument("token"), argument);
        let executed = outcome.is_ok();
        let value = match outcome {
            Ok(fields) => Perl::hash(fields.into_iter().map(|(key, value)| (key, Perl::text(value)))),
            Err(text) => Perl::text(text),
        };
        Answer { reply: reply(200, soap::write_reply(&invocation, 1, &value)), executed }
    }

    fn crash(&self, _call: &Call) -> Reply {
        reply(500, soap::write_fault("Server", "it broke", ""))
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

fn reply(status: u16, body: String) -> Reply {
    Reply::new(status, "text/xml; charset=utf-8", body)
}
