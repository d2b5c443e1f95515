//! Azotel SIMPLer: its 72 functions, by SOAP 1.1 at `/API/operatorapi.pl` and by JSON at `/restapi/API/<function>`.
//!
//! The document gives attributes and forms of results, recordings of SOAP::Lite give the bytes. Texts of errors the
//! document does not word are inferred, and so is the form of a result it does not show; each says so where it is made.

mod addresses;
mod customer_data;
mod customers;
mod equipment;
mod functions;
mod invoicing;
mod ledger;
mod programs;
mod radius;
mod register;
mod rest_door;
mod search;
mod soap_door;
mod statuses;
mod subscriptions;
mod tables;
mod told;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::call::{Answer, Call, Reply};
use crate::host::Upstream;
use crate::perl::Arguments;
use crate::{AccountKey, Config, StandIn};
use functions::{Function, Functions};
use ledger::Ledger;
use told::Outcome;

const DENIED: &str = "ERROR: access denied";

/// Azotel, as the sandbox lists it; its other transport is at `/restapi/API/`.
pub(crate) const STAND_IN: StandIn = StandIn {
    provider: "azotel",
    title: "Azotel",
    path: soap_door::PATH,
    account: &[AccountKey::plain("username", "apiuser"), AccountKey::secret("password", "apipass")],
    new: |config| Box::new(Azotel::new(config)),
};

pub(crate) struct Azotel {
    username: String,
    password: String,
    functions: Functions,
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    /// Number of the last generated element name; it grows as long as the program runs.
    symbol: u32,
}

impl Azotel {
    pub(crate) fn new(config: &Config) -> Self {
        let state = State { ledger: Ledger::new(), symbol: 0 };
        Self {
            username: config.credentials.get("azotel", "username").to_owned(),
            password: config.credentials.get("azotel", "password").to_owned(),
            functions: Functions::new(),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_symbol(&self) -> u32 {
        let mut state = self.state();
        state.symbol += 3;
        state.symbol
    }

    /// Does a function, whichever door it came through; `None` when there is no such function.
    fn run(&self, name: &str, arguments: &Arguments) -> Option<Outcome> {
        let function = self.functions.find(name)?;
        if arguments.get("api_username") != self.username || arguments.get("api_password") != self.password {
            return Some(Err(DENIED.to_owned()));
        }
        let ledger = &mut self.state().ledger;
        Some(function.admit(ledger, arguments).and_then(|()| perform(ledger, function, arguments)))
    }
}

impl Upstream for Azotel {
    fn operation(&self, call: &Call) -> String {
        match call.path.as_str() {
            soap_door::PATH => soap_door::operation(call),
            _ => rest_door::function(self, call).unwrap_or_default().to_owned(),
        }
    }

    fn answer(&self, call: &Call) -> Answer {
        match call.path.as_str() {
            soap_door::PATH => soap_door::answer(self, call),
            _ => rest_door::answer(self, call),
        }
    }

    fn crash(&self, call: &Call) -> Reply {
        match call.path.as_str() {
            soap_door::PATH => soap_door::crash(call),
            _ => rest_door::crash(),
        }
    }

    /// There are no sessions: the credentials travel in every call.
    fn expire_sessions(&self) {}

    fn reset(&self) {
        self.state().ledger = Ledger::new();
    }
}

fn perform(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    match (&function.work, programs::find(&function.name)) {
        (Some(work), _) => register::perform(ledger, function, work, arguments),
        (None, Some(program)) => program(ledger, function, arguments),
        (None, None) => Err(format!("ERROR: {} has no program", function.name)),
    }
}
