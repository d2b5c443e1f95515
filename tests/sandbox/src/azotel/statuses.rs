//! Statuses of customers: the document's sample.

use super::functions::Function;
use super::ledger::Ledger;
use super::told::{ATTRIBUTES, Outcome, Told};
use crate::perl::{Arguments, Perl};

const SEED: &str = include_str!("../../seed/azotel-statuses.json");

pub(crate) fn get(_: &mut Ledger, function: &Function, _: &Arguments) -> Outcome {
    let sample: serde_json::Value = serde_json::from_str(SEED).map_err(|error| error.to_string())?;
    Ok(Told::Record { root: function.root(), style: ATTRIBUTES, data: Perl::from(&sample) })
}
