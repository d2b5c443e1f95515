//! The modules of each crate stand on floors: no circle in any crate, and in the large ones no import but downwards.

use std::path::Path;

use crate::{
    imports::{Modules, Source},
    tree::{PACKAGES, ROOT, files, read},
};

/// Crates whose modules stand on declared floors, the lowest first. A module imports from floors below its own.
const FLOORS: [(&str, &[&[&str]]); 4] = [
    (
        "gateway",
        &[
            &["atomic_file", "headers", "key", "openapi", "telemetry"],
            &["answer", "config"],
            &["fleet", "limits", "policy", "service_config"],
            &["forward", "principal"],
            &["catalog", "identity"],
            &["commands", "decider", "health", "status", "transcode"],
            &["edge"],
            &["gateway"],
        ],
    ),
    (
        "crates/serving",
        &[
            &["descriptors", "drain", "host", "peer", "refusals", "send_buffer", "settings", "workers"],
            &["closing", "dependency", "notes", "reflection", "transcoder"],
            &["message", "tls"],
            &["completed_call"],
            &["observers", "service_set"],
            &["context", "health"],
            &["layers"],
            &["connection"],
            &["listener"],
            &["server"],
        ],
    ),
    (
        "crates/chassis",
        &[
            &["consul", "globals", "output", "schema", "tap", "watched"],
            &["settings"],
            &["audit", "restarts"],
            &["config_status"],
            &["file_source"],
            &["process"],
            &["admin", "audited", "program", "registration"],
            &["prepare", "settings_reference"],
            &["reload"],
            &["running"],
            &["cli"],
        ],
    ),
    (
        "crates/bridge",
        &[
            &["binary", "node", "problem", "xml"],
            &["fault"],
            &["credential_guard", "detached", "http", "retry", "session", "sign", "status"],
            &["account_health", "breaker", "telemetry", "wire"],
            &["table"],
            &["dialects"],
            &["provider"],
            &["farewell"],
            &["account"],
            &["call"],
            &["download", "login"],
            &["upstream"],
        ],
    ),
];

/// What is wrong with the imports between the modules of a crate.
fn circle(modules: &Modules) -> Option<String> {
    let steps = modules.circle()?;
    let lines = steps.iter().map(|one| format!("  {}: {} imports {}", one.place, one.from, one.path));
    Some(format!("modules import each other in a circle:\n{}", lines.collect::<Vec<_>>().join("\n")))
}

/// Imports that do not go down, and modules that stand on no floor or on none that there is.
fn off_their_floors(folder: &str, floors: &[&[&str]], modules: &Modules) -> Vec<String> {
    let floor = |name: &str| floors.iter().position(|floor| floor.contains(&name));
    let unknown = modules.names.iter().filter(|name| floor(name).is_none());
    let unknown = unknown.map(|name| format!("{folder}/{name}.rs: the module stands on no floor of {folder}"));
    let all = floors.iter().copied().flatten();
    let gone =
        all.filter(|name| !modules.names.contains(**name)).map(|name| format!("{folder}: there is no module {name}"));
    let upwards = modules.imports.iter().filter_map(|one| {
        let (from, to) = (floor(&one.from)?, floor(&one.to)?);
        let text = format!("{}: {} (floor {from}) imports {} (floor {to})", one.place, one.from, one.path);
        (to >= from).then_some(text)
    });
    unknown.chain(gone).chain(upwards).collect()
}

/// Reads the modules of a package.
fn modules(folder: &str) -> Modules {
    let source = format!("{folder}/src");
    let paths = files(&ROOT.join(&source)).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    let texts: Vec<_> =
        paths.map(|path| (path.to_str().unwrap().to_owned(), read(Path::new(&source).join(&path)))).collect();
    let sources: Vec<Source<'_>> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Modules::of(&source, &sources)
}

#[test]
fn no_modules_of_a_crate_import_each_other_in_a_circle() {
    let mut seen = 0;
    for package in PACKAGES.iter() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap().strip_prefix(*ROOT).unwrap().to_str().unwrap();
        if !ROOT.join(folder).join("src").is_dir() {
            continue;
        }
        let modules = modules(folder);
        seen += modules.imports.len();
        assert_eq!(circle(&modules), None, "{folder}");
    }
    assert!(seen > 500, "only {seen} imports were found");
}

#[test]
fn modules_import_from_the_floors_below_their_own() {
    for (folder, floors) in FLOORS {
        let wrong = off_their_floors(folder, floors, &modules(folder));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// A house of three modules with one wrong line.
fn house(root: &str, upper: &str, lower: &str) -> Modules {
    Modules::of("house/src", &[("lib.rs", root), ("attic/box.rs", upper), ("cellar.rs", lower), ("hall.rs", "")])
}

const HOUSE: &[&[&str]] = &[&["cellar"], &["hall"], &["attic"]];

#[test]
fn an_import_that_goes_up_is_named_with_its_line() {
    let wrong = |lower: &str| off_their_floors("house", HOUSE, &house("pub use attic::Toy;", "", lower));
    for (lower, path) in [
        ("use std::fmt;\n\nuse crate::attic;", "crate::attic"),
        ("//\n\nuse super::attic::Toy;", "crate::attic::Toy"),
        ("\n\nuse crate::{\n    attic::{self as up, Toy},\n};", "crate::attic::self"),
        ("/* crate::hall */\n\nfn f() -> crate::Toy { loop {} }", "crate::Toy"),
        ("\n\nfn f() { crate::attic::r#box(\"\\\"\", 'a') }", "crate::attic::r"),
        ("mod inner {\n\n    use super::super::attic;\n}", "crate::attic"),
    ] {
        let found = wrong(lower);
        let line = if path.ends_with("self") { 4 } else { 3 };
        let first = format!("house/src/cellar.rs:{line}: cellar (floor 0) imports {path} (floor 2)");
        assert_eq!(found.first(), Some(&first), "{lower}: {found:?}");
    }
}

#[test]
fn what_is_no_import_is_none() {
    for lower in [
        "// use crate::attic;\n/// [`crate::attic`]\nfn f<'a>(_: &'a str) {}",
        "const TEXT: &str = \"use crate::attic;\"; const RAW: &str = r#\"\" crate::attic::Toy \"#;",
        "#[cfg(test)]\nmod tests {\n    use crate::attic::Toy;\n}",
        "#[cfg(test)]\nuse crate::attic;\nfn f() -> impl Sized + use<> { loop {} }",
        "use attic::Toy; use self::attic;",
    ] {
        assert_eq!(off_their_floors("house", HOUSE, &house("", "", lower)), Vec::<String>::new(), "{lower}");
    }
    let tested =
        [("cellar.rs", "#[cfg(test)]\nmod check;"), ("cellar/check.rs", "use crate::attic;"), ("attic.rs", "")];
    assert_eq!(Modules::of("house/src", &tested).imports, []);
}

#[test]
fn a_circle_and_a_module_without_a_floor_are_named() {
    let modules = house("", "use crate::hall;\nuse crate::cellar;", "\nuse crate::attic;");
    let said = circle(&modules).unwrap();
    for step in
        ["house/src/attic/box.rs:2: attic imports crate::cellar", "house/src/cellar.rs:2: cellar imports crate::attic"]
    {
        assert!(said.contains(step), "{said}");
    }
    assert!(!said.contains("hall"), "{said}");
    assert_eq!(circle(&house("", "use crate::cellar;", "")), None);
    let wrong = off_their_floors("house", &[&["cellar"], &["hall", "loft"]], &house("", "", ""));
    assert_eq!(wrong, ["house/attic.rs: the module stands on no floor of house", "house: there is no module loft"]);
}
