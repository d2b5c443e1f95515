//! Writes down which crates a program of the suite is made of, for filters of the log: their names are what lines begin with.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    println!("cargo::rerun-if-changed={lock}");
    let text = fs::read_to_string(lock)?;
    let named = text.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let mut names: Vec<_> = named.map(|name| name.replace('-', "_")).collect();
    names.sort_unstable();
    names.dedup();
    let file = Path::new(&env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?).join("crates.txt");
    fs::write(file, names.join("\n"))?;
    Ok(())
}
