//! The variables of the OpenTelemetry specification do what `docs/telemetry.md` says of them.

use config::{ConfigSource, Findings};
use telemetry::TelemetrySettings;
use toml::Table;

const DOCUMENT: &str = include_str!("../../../../docs/telemetry.md");

/// One row of the document's table.
#[derive(Debug)]
struct Row<'a> {
    /// The variable and, if it means nothing alone, another one and its value.
    variables: Vec<(String, String)>,
    key: &'a str,
    becomes: &'a str,
}

fn rows() -> Vec<Row<'static>> {
    let code = |text: &'static str| text.trim().trim_matches('`');
    let lines = DOCUMENT.lines().filter(|line| line.starts_with("| `OTEL_"));
    let row = |line: &'static str| {
        let [variable, example, key, becomes] = line.trim_matches('|').split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let (name, other) = variable.split_once(" (with ").unwrap_or((variable, ""));
        let mut variables = vec![(code(name).to_owned(), code(example).to_owned())];
        let other = other.trim().trim_end_matches(')').trim_matches('`').split_once('=');
        variables.extend(other.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Row { variables, key: code(key), becomes: code(becomes) }
    };
    lines.map(|line| row(&line.replace("| |", "|  |").leak()[1..])).collect()
}

#[test]
fn each_row_of_the_document_is_true() {
    for row in rows() {
        let result = ConfigSource::new(None, row.variables.clone()).read().map(|document| Table::clone(&document));
        match row.becomes {
            "refused" => {
                let error = result.unwrap_err().to_string();
                let (name, value) = &row.variables[0];
                assert!(error.contains(&format!("{name}: ")) && !error.contains(value), "{error}");
            }
            "accepted" => assert_eq!(result.unwrap(), Table::new()),
            becomes => {
                let table = result.unwrap();
                let expected = format!("value = {becomes}").parse::<Table>().unwrap()["value"].clone();
                let found = row.key.split('.').fold(&table["telemetry"], |section, key| &section[key]);
                assert_eq!(*found, expected, "{row:?}");
                let section: TelemetrySettings = match row.key.contains("headers") || becomes.contains("file") {
                    // What it names is not there.
                    true => continue,
                    false => table["telemetry"].clone().try_into().unwrap(),
                };
                let mut findings = Findings::default();
                telemetry::check(&section, &mut findings);
                findings.into_result().unwrap();
            }
        }
    }
}
