//! The modules of a crate stand on floors: each imports from lower ones only. And nowhere do two modules import each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    imports::{Import, Module, of_crate},
    tree::{PACKAGES, ROOT},
};

/// The floors of a crate's modules, the lowest first; modules on one floor do not import each other. The root, `lib`, is above all.
type Floors = &'static [&'static [&'static str]];

/// Crates whose modules have floors.
const HOUSES: [(&str, Floors); 1] = [(
    "gateway",
    &[
        &["atomic_file", "headers", "key", "openapi", "telemetry"],
        &["config"],
        &["answer"],
        &["fleet", "limits", "policy", "service_config"],
        &["principal"],
        &["forward"],
        &["identity"],
        &["catalog"],
        &["commands", "decider", "health", "status", "transcode"],
        &["edge"],
        &["gateway"],
    ],
)];

/// Where one module imports from another, by the two of them.
type Arrows<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>;

/// Crates with circles that are still to be cut.
const WITH_CIRCLES: [&str; 4] = ["crates/chassis", "deploy/local", "tests/bench", "tests/sandbox"];

#[test]
fn modules_import_from_lower_floors_only() {
    let wrong: Vec<String> = HOUSES.iter().flat_map(|(folder, floors)| upwards(folder, floors)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the floors of a crate.
fn upwards(folder: &str, floors: Floors) -> Vec<String> {
    let (modules, imports) = of_crate(folder);
    let names: BTreeSet<&str> = modules.iter().filter_map(|module| module.first()).map(String::as_str).collect();
    let of = |name: &str| floors.iter().position(|floor| floor.contains(&name));
    let listed = floors.iter().flat_map(|floor| floor.iter());
    let homeless =
        names.iter().filter(|name| of(name).is_none()).map(|name| format!("{folder}: {name} is on no floor"));
    let gone = listed.filter(|name| !names.contains(**name)).map(|name| format!("{folder}: there is no module {name}"));
    let upward = imports.iter().filter_map(|Import { from, to, place }| {
        let from = from.first()?;
        // The root is above all floors.
        let to = to.first().map_or("lib", String::as_str);
        let is_lower = of(to).zip(of(from)).is_some_and(|(lower, upper)| lower < upper);
        (from != to && !is_lower).then(|| format!("{place}: {from} must not import from {to}, which is not below it"))
    });
    homeless.chain(gone).chain(upward).collect()
}

#[test]
fn no_two_modules_of_a_crate_import_each_other() {
    let folders = PACKAGES.iter().map(|package| {
        let manifest = std::path::Path::new(package["manifest_path"].as_str().unwrap());
        manifest.parent().unwrap().strip_prefix(*ROOT).unwrap().to_str().unwrap().to_owned()
    });
    let checked = folders.filter(|folder| !WITH_CIRCLES.contains(&folder.as_str()));
    let circles: Vec<String> = checked.flat_map(|folder| circles(&of_crate(&folder).1)).collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// The imports that close a circle between modules of one parent. A parent and its child may know each other.
fn circles(imports: &[Import]) -> Vec<String> {
    let mut siblings: BTreeMap<&[String], Arrows<'_>> = BTreeMap::new();
    for Import { from, to, place } in imports {
        let common = from.iter().zip(to).take_while(|(one, other)| one == other).count();
        if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
            let arrows = siblings.entry(&from[..common]).or_default();
            arrows.entry(one).or_default().entry(other).or_insert(place);
        }
    }
    siblings.values().flat_map(in_circles).collect()
}

fn in_circles(arrows: &Arrows<'_>) -> Vec<String> {
    let all = arrows.iter().flat_map(|(from, to)| to.iter().map(move |(to, place)| (*from, *to, *place)));
    let closing = all.filter(|(from, to, _)| reached(arrows, to).contains(from));
    closing.map(|(from, to, place)| format!("{place}: {from} imports from {to}, which needs {from} itself")).collect()
}

/// What a module needs, over any number of others.
fn reached<'a>(arrows: &Arrows<'a>, start: &'a str) -> BTreeSet<&'a str> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
    while let Some(module) = next.pop() {
        let targets = arrows.get(module).into_iter().flat_map(BTreeMap::keys);
        next.extend(targets.copied().filter(|target| seen.insert(*target)));
    }
    seen
}

#[test]
fn an_import_that_is_wrong_is_named() {
    let module = |text: &str| -> Module { text.split("::").map(str::to_owned).collect() };
    let import = |from, to| Import { from: module(from), to: module(to), place: format!("{from} -> {to}") };
    let circle = [import("a::x", "b"), import("b", "c::y"), import("c", "a"), import("a", "a::x"), import("d", "a")];
    let named: Vec<String> = circles(&circle).iter().map(|text| text.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(named.len(), 3, "{named:?}");
    assert!(circles(&[import("a", "b"), import("a::x", "a::y"), import("a", "a::x"), import("a::x", "a")]).is_empty());
    let wrong = upwards("gateway", &[&["edge"], &["config"]]);
    let told = |text: &str| wrong.iter().any(|line| line.contains(text));
    assert!(told("edge.rs:") && told("edge must not import from config, which is not below it"), "{wrong:?}");
    assert!(told("gateway: fleet is on no floor"), "{wrong:?}");
    assert!(upwards("gateway", &[&["nothing"]]).contains(&"gateway: there is no module nothing".to_owned()));
}
