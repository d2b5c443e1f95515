//! What SIMPLer remembers: customers, what hangs on them, equipment and RADIUS rows.

use std::collections::BTreeMap;

use serde::Deserialize;

const SEED: &str = include_str!("../../seed/azotel.json");

/// A row: column to text.
pub(crate) type Row = BTreeMap<String, String>;

#[derive(Deserialize)]
pub(crate) struct Ledger {
    pub(crate) customers: Vec<Row>,
    pub(crate) ips: Vec<Row>,
    pub(crate) subscriptions: Vec<Row>,
    pub(crate) maintenance: Vec<Row>,
    pub(crate) equipment: Vec<Row>,
    pub(crate) radius: Vec<Row>,
    #[serde(skip)]
    pub(crate) cpes: Vec<Row>,
    #[serde(default = "first_number")]
    last_number: u32,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        serde_json::from_str(SEED).expect("the seed is part of the program")
    }

    /// A fresh id, whatever for.
    pub(crate) fn next_number(&mut self) -> String {
        self.last_number += 1;
        self.last_number.to_string()
    }

    pub(crate) fn customer(&self, id: &str) -> Result<&Row, String> {
        self.customers.iter().find(|row| cell(row, "id") == id).ok_or_else(|| no_such("customer", id))
    }

    pub(crate) fn customer_mut(&mut self, id: &str) -> Result<&mut Row, String> {
        self.customers.iter_mut().find(|row| cell(row, "id") == id).ok_or_else(|| no_such("customer", id))
    }

    /// Whether another customer has that text in that column.
    pub(crate) fn is_taken(&self, column: &str, text: &str) -> bool {
        self.customers.iter().any(|row| cell(row, column) == text)
    }
}

/// A cell; what is absent reads as empty.
pub(crate) fn cell<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).map(String::as_str).unwrap_or_default()
}

/// Whether a row hangs on a customer.
pub(crate) fn belongs(row: &Row, customer: &str) -> bool {
    cell(row, "customerid") == customer
}

/// The wording is inferred.
pub(crate) fn no_such(thing: &str, id: &str) -> String {
    format!("ERROR: {thing} {id} does not exist")
}

fn first_number() -> u32 {
    100
}
