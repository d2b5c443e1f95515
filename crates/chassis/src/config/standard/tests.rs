use std::collections::BTreeSet;

use super::*;
use crate::Findings;

const DOCUMENT: &str = include_str!("../../../../../docs/telemetry.md");

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

fn applied(variables: &[(String, String)]) -> Result<Table, Error> {
    let mut document = Document::default();
    apply(&mut document, variables).map(|()| Table::clone(&document))
}

#[test]
fn each_row_of_the_document_is_true() {
    for row in rows() {
        assert!(row.variables.iter().all(|(name, _)| is_read(name)), "{row:?}");
        let result = applied(&row.variables);
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
                let section: crate::TelemetrySettings = match row.key.contains("headers") || becomes.contains("file") {
                    // What it names is not there.
                    true => continue,
                    false => table["telemetry"].clone().try_into().unwrap(),
                };
                let mut findings = Findings::default();
                section.check(&mut findings);
                findings.into_result().unwrap();
            }
        }
    }
}

#[test]
fn the_document_has_every_variable() {
    let documented: BTreeSet<_> = rows().into_iter().map(|row| row.variables[0].0.clone()).collect();
    let ends = EXPORTER.iter().map(|(end, ..)| *end).chain([ENDPOINT, INSECURE]);
    let of_exporter = ends.flat_map(|end| SCOPES.map(|(scope, _)| format!("OTEL_EXPORTER_OTLP_{scope}{end}")));
    let general = GENERAL.iter().map(|(name, ..)| *name).chain([RESOURCE, SAMPLER, SAMPLER_ARGUMENT]);
    let known: BTreeSet<_> = of_exporter.chain(general.map(str::to_owned)).collect();
    assert_eq!(documented, known);
    for name in ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_LOG_LEVEL", "OTEL_EXPORTER_OTLP_", "OTEL"] {
        assert!(!is_read(name), "{name}");
    }
}

#[test]
fn attributes_keep_their_names_and_a_name_of_the_service_of_its_own_wins() {
    let pairs = |pairs: &[(&str, &str)]| -> Vec<_> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let attributes = (RESOURCE, "service.name=from-attributes, Team-A.x = b%2Cc ,");
    let table = applied(&pairs(&[attributes])).unwrap();
    assert_eq!(table["telemetry"]["service_name"].as_str(), Some("from-attributes"));
    assert_eq!(table["telemetry"]["resource"].to_string(), "{ \"Team-A.x\" = \"b,c\" }");
    let table = applied(&pairs(&[attributes, ("OTEL_SERVICE_NAME", "own")])).unwrap();
    assert_eq!(table["telemetry"]["service_name"].as_str(), Some("own"));
    for text in ["a", "=b", "a=%ff"] {
        assert!(applied(&pairs(&[(RESOURCE, text)])).unwrap_err().to_string().contains(RESOURCE), "{text}");
    }
    assert_eq!(applied(&pairs(&[(RESOURCE, " "), (SAMPLER, "")])).unwrap(), Table::new());
}
