//! The rows of a new provider in the tables of the workspace, which are the only lines outside of its own files.

use std::{fs, path::Path};

use crate::{Planned, name::Name, wire::Wire};

/// A line, or several, for one table.
struct Row {
    file: &'static str,
    /// Which lines are the rows of the table.
    is_row: fn(&str) -> bool,
    /// Whether the rows are in order; else a new one is the last.
    is_sorted: bool,
    text: String,
}

/// Every file that gets a row, as it is with it.
pub(crate) fn all(root: &Path, wire: Wire, name: &Name) -> Result<Vec<Planned>, String> {
    let mut planned: Vec<Planned> = Vec::new();
    for row in rows(wire, name) {
        let path = root.join(row.file);
        let text = match planned.iter().position(|(known, _)| *known == path) {
            Some(known) => planned.remove(known).1,
            None => fs::read_to_string(&path).map_err(|error| format!("{}: {error}", row.file))?,
        };
        planned.push((path, row.put(&text)?));
    }
    Ok(planned)
}

fn rows(wire: Wire, name: &Name) -> Vec<Row> {
    let [read, write] = wire.operations().map(|operation| operation.split('{').next().unwrap_or(operation));
    let provider =
        format!("| [Demo](services/demo/README.md) | {} | a skeleton, 2 RPCs | `ispbridge.demo.v1` |", wire.title());
    let row_of_wires = format!(
        "    Wire {{\n        provider: \"demo\",\n        codec: Codec::{},\n        \
         methods: [\"demo.CustomerService/GetCustomer\", \"demo.CustomerService/AddCustomer\"],\n        \
         operations: [{read:?}, {write:?}],\n        recordings: \"services/demo/fixtures\",\n        \
         other: None,\n        login: None,\n    }},",
        wire.codec()
    );
    let row = |file, is_sorted, is_row, text: &str| Row { file, is_row, is_sorted, text: name.fill(text) };
    vec![
        row("Cargo.toml", true, |line| line.starts_with("    \"services/"), "    \"services/demo\","),
        row("Cargo.toml", true, is_service, "ispbridge-demo = { path = \"services/demo\" }"),
        row("README.md", false, |line| line.starts_with("| [") && line.contains("](services/"), &provider),
        row("deploy/local/Cargo.toml", true, |line| line.starts_with("ispbridge-"), "ispbridge-demo.workspace = true"),
        row("deploy/local/src/programs.rs", true, is_listed, "    listed::<ispbridge_demo::Demo>(),"),
        row("tests/sandbox/src/lib.rs", true, |line| line.starts_with("mod "), "mod demo;"),
        row("tests/sandbox/src/lib.rs", false, |line| line.ends_with("::STAND_IN,"), "    demo::STAND_IN,"),
        row(
            "tests/suite/tests/main/wires.rs",
            false,
            |line| line.starts_with("    Wire::") || line == "    },",
            &row_of_wires,
        ),
    ]
}

fn is_service(line: &str) -> bool {
    line.starts_with("ispbridge-") && line.contains("\"services/")
}

fn is_listed(line: &str) -> bool {
    line.starts_with("    listed::<")
}

impl Row {
    /// The text of the file with this row in its table.
    fn put(&self, text: &str) -> Result<String, String> {
        let rows = text.lines().enumerate().filter(|(_, line)| (self.is_row)(line));
        let first = rows.clone().map(|(at, _)| at).next();
        let first = first.ok_or_else(|| format!("{} has no row like {:?}", self.file, self.text.trim()))?;
        let before = rows.filter(|(_, line)| !self.is_sorted || *line < self.text.as_str());
        let at = before.map(|(at, _)| at + 1).last().unwrap_or(first);
        let mut lines: Vec<&str> = text.lines().collect();
        lines.insert(at, &self.text);
        Ok(lines.join("\n") + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(is_sorted: bool, text: &str) -> Result<String, String> {
        let row = Row { file: "x", is_row: |line| line.starts_with('-'), is_sorted, text: "-m".to_owned() };
        row.put(text)
    }

    #[test]
    fn a_row_stands_where_its_table_has_it() {
        assert_eq!(put(true, "head\n-a\n-z\nend\n").unwrap(), "head\n-a\n-m\n-z\nend\n");
        assert_eq!(put(true, "head\n-n\n-z\n").unwrap(), "head\n-m\n-n\n-z\n");
        assert_eq!(put(false, "-n\n-a\nend\n").unwrap(), "-n\n-a\n-m\nend\n");
        assert_eq!(put(true, "none\n").unwrap_err(), "x has no row like \"-m\"");
    }
}
