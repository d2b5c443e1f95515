//! `just new-provider NAME --wire WIRE`: the skeleton of a provider, with one read and one write, green at once.
//!
//! `templates/common` and the folder of the wire hold its files as they stand in the workspace, of a provider called
//! `demo`. All is made in memory first: what is refused has changed nothing.

mod edits;
mod name;
mod wire;

use std::{
    env, fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use name::Name;
use wire::Wire;

/// A file and what is to stand in it.
type Planned = (PathBuf, String);

const USAGE: &str = "usage: just new-provider NAME --wire rest|form|xml-rpc|soap";
/// Where the templates are, from the root of the workspace.
const TEMPLATES: &str = "tests/scaffold/templates";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match run(&words, Path::new(".")) {
        Ok(report) => {
            // Whoever closed the output still has the provider.
            let _ = writeln!(io::stdout(), "{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "new-provider: {error}");
            ExitCode::from(64)
        }
    }
}

fn run(words: &[String], root: &Path) -> Result<String, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (name, wire) = match words.as_slice() {
        [name, "--wire", wire] | ["--wire", wire, name] => (*name, *wire),
        [name, option] if option.starts_with("--wire=") => (*name, &option["--wire=".len()..]),
        [option, name] if option.starts_with("--wire=") => (*name, &option["--wire=".len()..]),
        _ => return Err(USAGE.to_owned()),
    };
    let (name, wire) = (Name::parse(name, root)?, Wire::parse(wire)?);
    let (mut new, edited) = (files(root, wire, &name)?, edits::all(root, wire, &name)?);
    if let Some((path, _)) = new.iter().find(|(path, _)| path.exists()) {
        return Err(format!("{} exists", path.display()));
    }
    let report = report(root, &name, &new, &edited);
    new.extend(edited);
    for (path, text) in new {
        write(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(report)
}

/// The new files, from the templates.
fn files(root: &Path, wire: Wire, name: &Name) -> Result<Vec<Planned>, String> {
    let mut planned = Vec::new();
    for folder in ["common", wire.as_str()] {
        let templates = root.join(TEMPLATES).join(folder);
        let unreadable =
            |error: io::Error| format!("{}: {error}; run it in the root of the workspace", templates.display());
        for path in below(&templates).map_err(unreadable)? {
            let text = fs::read_to_string(&path).map_err(unreadable)?;
            let place = path.strip_prefix(&templates).map_err(|error| error.to_string())?;
            let place = place.to_str().ok_or("a template whose name is not UTF-8")?;
            planned.push((root.join(name.fill(place)), wire.fill(&name.fill(&text))));
        }
    }
    Ok(planned)
}

/// Every file in a folder and in those within it, in order.
fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(below(&path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}

fn report(root: &Path, name: &Name, new: &[Planned], edited: &[Planned]) -> String {
    let shown = |(path, _): &Planned| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let lines = |mark: &str, files: &[Planned]| {
        files.iter().map(|file| format!("{mark} {}\n", shown(file))).collect::<String>()
    };
    format!(
        "{}{}\nTry it: cargo test -p ispbridge-{name}\n\
         Then:   UPDATE=1 cargo test -p ispbridge-tests --test main settings_reference   (docs/configuration.md)",
        lines("new   ", new),
        lines("edited", edited)
    )
}
