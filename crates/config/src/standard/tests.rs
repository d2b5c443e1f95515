use std::collections::BTreeSet;

use super::*;

const DOCUMENT: &str = include_str!("../../../../docs/telemetry.md");

/// The variables that the document names.
fn documented() -> BTreeSet<String> {
    let lines = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `OTEL_")?.split_once('`'));
    lines.map(|(end, _)| format!("OTEL_{end}")).collect()
}

fn applied(variables: &[(String, String)]) -> Result<Table, Error> {
    let mut document = Document::default();
    apply(&mut document, variables).map(|()| Table::clone(&document))
}

#[test]
fn the_document_has_every_variable() {
    let documented = documented();
    assert!(documented.iter().all(|name| is_read(name)), "{documented:?}");
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
