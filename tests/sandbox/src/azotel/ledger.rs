//! What SIMPLer remembers: tables of rows, every cell a text.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::perl::Perl;

const SEED: &str = include_str!("../../seed/azotel.json");
const FIRST_NUMBER: u32 = 100;

/// A row: column to text; an absent column is SQL's NULL.
pub(crate) type Row = BTreeMap<String, String>;

/// Tables by name.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Ledger {
    tables: BTreeMap<String, Vec<Row>>,
    /// Ids of the samples, of whatever table.
    #[serde(skip)]
    reserved: BTreeSet<u32>,
    #[serde(skip)]
    last_number: u32,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let mut ledger: Self = serde_json::from_str(SEED).expect("the seed is part of the program");
        let ids = ledger.tables.values().flatten().filter_map(|row| cell(row, "id").parse().ok());
        ledger.reserved = ids.collect();
        ledger.last_number = FIRST_NUMBER;
        ledger
    }

    pub(crate) fn rows(&self, table: &str) -> &[Row] {
        self.tables.get(table).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn rows_mut(&mut self, table: &str) -> &mut Vec<Row> {
        self.tables.entry(table.to_owned()).or_default()
    }

    /// The rows of a table that hang on a customer.
    pub(crate) fn of<'a>(&'a self, table: &str, customer: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows(table).iter().filter(move |row| cell(row, "customerid") == customer)
    }

    pub(crate) fn find(&self, table: &str, column: &str, text: &str) -> Option<&Row> {
        self.rows(table).iter().find(|row| cell(row, column) == text)
    }

    pub(crate) fn customer(&self, id: &str) -> Result<&Row, String> {
        self.find("customer", "id", id).ok_or_else(|| no_such("customer", id))
    }

    /// Writes a row under a fresh id and tells the id.
    pub(crate) fn insert(&mut self, table: &str, mut row: Row) -> String {
        self.last_number += 1;
        while self.reserved.contains(&self.last_number) {
            self.last_number += 1;
        }
        let id = self.last_number.to_string();
        row.insert("id".to_owned(), id.clone());
        self.rows_mut(table).push(row);
        id
    }

    /// Deletes the rows that are meant and tells how many there were.
    pub(crate) fn remove(&mut self, table: &str, is_meant: impl Fn(&Row) -> bool) -> usize {
        let rows = self.rows_mut(table);
        let before = rows.len();
        rows.retain(|row| !is_meant(row));
        before - rows.len()
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

/// Columns of a row as a hash; one that nobody filled is SQL's NULL, Perl's `undef`.
pub(crate) fn select(row: &Row, columns: &[&str]) -> Perl {
    Perl::hash(columns.iter().map(|column| (*column, row.get(*column).map_or(Perl::Undef, Perl::text))))
}

/// A row of the given cells.
pub(crate) fn row<const N: usize>(cells: [(&str, &str); N]) -> Row {
    cells.into_iter().map(|(column, text)| (column.to_owned(), text.to_owned())).collect()
}

/// The wording is inferred.
pub(crate) fn no_such(thing: &str, id: &str) -> String {
    format!("ERROR: {thing} {id} does not exist")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_id_is_nobodys() {
        let mut ledger = Ledger::new();
        assert_eq!(ledger.insert("site", Row::new()), "101");
        for _ in 0..40 {
            ledger.insert("equipment", Row::new());
        }
        let taken = ledger.rows("equipment").iter().filter(|row| cell(row, "id") == "127").count();
        assert_eq!(taken, 1, "the seed has an equipment 127");
    }
}
