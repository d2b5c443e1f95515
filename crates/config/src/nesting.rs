//! TOML that nests too deep is refused before anything walks it: whatever reads, compares or drops a table calls itself for
//! each level, and a stack that overflows ends the process. A broken file must not end one that runs.

use std::thread;

use serde::de::Error as _;
use toml::{
    Table, Value,
    de::{DeTable, Error},
};

/// Levels of tables and lists; what a configuration has is less than ten.
const DEEPEST: usize = 32;

/// Stack for the reader: `toml` itself stops at 80 brackets and at 80 parts of a name, but each bracket may hold a name.
const STACK: usize = 64 << 20;

/// Reads a text, or says all that is wrong with it; on a stack of its own, which is reserved and hardly ever used.
pub(crate) fn parse(text: &str) -> Result<Table, Vec<Error>> {
    let one = |text: String| vec![Error::custom(text)];
    let read = || {
        let table: Table = text.parse().map_err(|_| DeTable::parse_recoverable(text).1)?;
        match table.values().all(|value| is_shallow(value, DEEPEST - 1)) {
            true => Ok(table),
            false => Err(one(format!("must not nest deeper than {DEEPEST} levels"))),
        }
    };
    thread::scope(|scope| {
        let reader = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read);
        let reader = reader.map_err(|error| one(error.to_string()))?;
        reader.join().unwrap_or_else(|_| Err(one("cannot be read".to_owned())))
    })
}

fn is_shallow(value: &Value, levels: usize) -> bool {
    let is_inner_shallow = |value: &Value| is_shallow(value, levels - 1);
    match value {
        Value::Table(table) => levels > 0 && table.values().all(is_inner_shallow),
        Value::Array(items) => levels > 0 && items.iter().all(is_inner_shallow),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each way to nest, and the two that multiply.
    fn nested(depth: usize) -> [String; 5] {
        let name = vec!["a"; depth].join(".");
        let [lists, tables, both] = ["[", "{ a = ", &format!("{{ {name} = ")].map(|open| open.repeat(depth));
        let [end_lists, end_tables] = ["]", "}"].map(|close| close.repeat(depth));
        [
            format!("a = {lists}1{end_lists}"),
            format!("a = {tables}1{end_tables}"),
            format!("[{name}]\n{name} = 1"),
            format!("[[{name}]]\n{name} = {tables}1{end_tables}"),
            format!("[[{name}]]\n{name} = {both}1{end_tables}"),
        ]
    }

    #[test]
    fn no_nesting_overflows_a_small_stack() {
        let read = || {
            for depth in [DEEPEST, 79, 80, 81, 100] {
                for text in nested(depth) {
                    assert!(parse(&text).is_err(), "{depth}: {text:.100}");
                }
            }
        };
        thread::Builder::new().stack_size(128 << 10).spawn(read).unwrap().join().unwrap();
    }

    #[test]
    fn what_people_write_is_read() {
        for text in nested(3).iter().chain(&nested(5)[..2]) {
            assert_eq!(parse(text).unwrap(), text.parse::<Table>().unwrap());
        }
        assert_eq!(parse("a = ").unwrap_err()[0].message(), "a = ".parse::<Table>().unwrap_err().message());
    }
}
