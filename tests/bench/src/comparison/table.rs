//! What is printed.

use super::{
    harness::{Harness, Kind},
    run::Measured,
};
use crate::{Failure, table::mark};

/// The goals: CPU and p99 against Envoy's, memory against Envoy's, CPU against the pass-through's.
const CPU: f64 = 0.6;
const P99: f64 = 1.0;
const RSS: f64 = 0.25;
const HOP: f64 = 1.5;

/// Prints what the processes take before the first call.
pub(super) fn idle(harness: &Harness) -> Result<(), Failure> {
    println!("{:<22} {:>9} {:>9}", "before the first call", "ready ms", "RSS MiB");
    for proxy in &harness.proxies {
        let ready = proxy.process.ready_after.as_secs_f64() * 1e3;
        println!("{:<22} {ready:>9.0} {:>9.1}", name(proxy.kind), proxy.process.resident()?);
    }
    println!();
    Ok(())
}

/// Prints the head of the table.
pub(super) fn head() {
    println!(
        "{:>5} {:<22} {:>7} | {:>7} | {:>7} {:>7} | {:>7} | ratios (goal)",
        "conns", "", "calls", "CPU us", "p50 ms", "p99 ms", "RSS MiB"
    );
}

/// Prints what was measured at one number of connections.
pub(super) fn lines(connections: usize, all: &[Measured]) {
    for measured in all {
        println!(
            "{connections:>5} {:<22} {:>7} | {:>7.1} | {:>7.3} {:>7.3} | {:>7.1} | {}",
            name(measured.kind),
            measured.calls(),
            measured.per_call(),
            measured.quantile(0.5),
            measured.quantile(0.99),
            measured.resident_mib,
            ratios(measured, all),
        );
    }
}

/// Prints what a reader must know.
pub(super) fn foot() {
    println!();
    println!("CPU is user + system of the process, from /proc; \"!\" marks a goal that is not met.");
    println!(
        "Envoy and the gateway check a JWT (RS256, remembered by both), trace 10 % and write a JSON line per call."
    );
}

fn name(kind: Kind) -> String {
    match kind {
        Kind::PassThrough => "pass-through".to_owned(),
        Kind::Envoy => "envoy".to_owned(),
        Kind::Gateway(size) => format!("gateway {}x{}", size.principals, size.providers),
    }
}

fn ratios(measured: &Measured, all: &[Measured]) -> String {
    if !matches!(measured.kind, Kind::Gateway(_)) {
        return String::new();
    }
    let of = |kind: Kind| all.iter().find(move |other| other.kind == kind);
    let hop = of(Kind::PassThrough).map(|other| measured.per_call() / other.per_call());
    let envoy = of(Kind::Envoy);
    let shown = [
        ("hop", hop, HOP),
        ("cpu", envoy.map(|other| measured.per_call() / other.per_call()), CPU),
        ("p99", envoy.map(|other| measured.quantile(0.99) / other.quantile(0.99)), P99),
        ("rss", envoy.map(|other| measured.resident_mib / other.resident_mib), RSS),
    ];
    let shown = shown.into_iter().filter_map(|(name, ratio, goal)| {
        let ratio = ratio?;
        Some(format!("{name} {ratio:.2} ({goal}){}", mark(ratio, goal)))
    });
    shown.collect::<Vec<_>>().join(" ")
}
