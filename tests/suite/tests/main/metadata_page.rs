//! The page that lists the call context and all metadata says what the code says.

use std::path::Path;

use crate::tree::{ROOT, files, read};

const PAGE: &str = "docs/how-a-request-flows.md";

/// The rows of the table under a heading, each as its cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = read(PAGE);
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn code(name: &str) -> String {
    format!("`{name}`")
}

#[test]
fn the_page_lists_all_metadata_with_their_meanings() {
    let listed: Vec<_> = table("Metadata").into_iter().map(|cells| (cells[0].clone(), cells[4].clone())).collect();
    let known: Vec<_> =
        protocol::headers::ALL.iter().map(|(name, meaning)| (code(name), (*meaning).to_owned())).collect();
    assert!(known.len() > 20, "{known:?}");
    assert_eq!(listed, known);
}

#[test]
fn the_page_lists_every_field_of_the_call_context() {
    let source = read("crates/protocol/src/call.rs");
    let (_, fields) = source.split_once("pub struct CallContext {\n").unwrap();
    let fields = fields.split("\n}").next().unwrap().lines().filter_map(|line| line.trim().strip_prefix("pub "));
    let fields: Vec<_> = fields.map(|field| code(field.split_once(':').unwrap().0)).collect();
    assert_eq!(fields.len(), 4);
    let listed: Vec<_> = table("In-process call context").into_iter().map(|cells| cells[0].clone()).collect();
    assert_eq!(listed, fields);
}

#[test]
fn what_the_page_points_at_is_there() {
    let page = read(PAGE);
    let links: Vec<_> = page.split("](../").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 20, "{links:?}");
    for link in links {
        assert!(ROOT.join(link).is_file(), "{link}");
    }
    for row in table("Five screens") {
        let (functions, file) = row[1].split_once(" in [").unwrap();
        let source = read(file.split(']').next().unwrap());
        for function in functions.split('`').skip(1).step_by(2) {
            let name = function.rsplit("::").next().unwrap();
            assert!(source.contains(&format!("fn {name}")), "{function} in {file}");
        }
    }
}

/// A name of metadata stands in quotes in one file of the product.
#[test]
fn no_name_of_metadata_is_written_twice() {
    let is_product = |path: &&std::path::PathBuf| {
        let mut parts = path.iter().map(|part| part.to_str().unwrap());
        let is_source = parts.clone().any(|part| part == "src") && path.extension().is_some_and(|kind| kind == "rs");
        let is_shipped = ["crates", "gateway", "services", "deploy"].contains(&parts.next().unwrap());
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        is_source && is_shipped && !is_test && *path != Path::new("crates/protocol/src/headers.rs")
    };
    let files = files(*ROOT);
    let found = files.iter().filter(is_product).flat_map(|path| {
        let text = read(path);
        let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
        let written = protocol::headers::ALL.iter().filter(move |(name, _)| code.contains(&format!("\"{name}\"")));
        written.map(|(name, _)| format!("{}: {name}", path.display())).collect::<Vec<_>>()
    });
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
}
