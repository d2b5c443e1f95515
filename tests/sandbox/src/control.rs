//! The port through which a test orders misbehaviour and reads what was counted.

use serde_json::json;

use crate::call::{Call, Reply};
use crate::host::Host;
use crate::ledger::{Fault, Ledger};

/// Answers the calls under `/_sandbox/`; `None` is a call for the upstream.
pub(crate) fn answer(call: &Call, host: &Host) -> Option<Reply> {
    let order = call.path.strip_prefix("/_sandbox/")?;
    Some(match (call.method.as_str(), order) {
        ("POST", "faults") => take_order(call, host),
        ("DELETE", "faults") => {
            host.ledger.clear_faults();
            Reply::empty(204)
        }
        ("POST", "reset") => {
            host.reset();
            Reply::empty(204)
        }
        ("GET", "requests") => counts(&host.ledger),
        _ => Reply::text(404, "no such order: faults, reset, requests"),
    })
}

fn take_order(call: &Call, host: &Host) -> Reply {
    match serde_json::from_slice::<Fault>(&call.body) {
        Ok(fault) => {
            host.ledger.order(fault);
            Reply::empty(204)
        }
        Err(error) => Reply::text(400, &error.to_string()),
    }
}

fn counts(ledger: &Ledger) -> Reply {
    let entries = ledger.entries();
    Reply::json(200, &json!({ "received": entries.received, "executed": entries.executed }))
}
