//! What is printed.

use crate::{
    Failure,
    harness::Way,
    measured::{Measured, Share},
    process::Process,
    work::Work,
};

/// The goals: service against yardstick, gateway against pass-through, both against the yardstick for the large reply.
const SERVICE: f64 = 1.3;
const GATEWAY: f64 = 1.5;
const BOTH: f64 = 2.0;
/// The goals for a process that only waits: MiB, and milliseconds from start to ready.
const IDLE_MIB: f64 = 20.0;
const READY_MS: f64 = 150.0;

/// Prints what the processes take before the first call.
pub(crate) fn idle(processes: &[&Process]) -> Result<(), Failure> {
    println!("{:<22} {:>9} {:>9}", "before the first call", "ready ms", "RSS MiB");
    for process in processes {
        let (ready, resident) = (process.ready_after.as_secs_f64() * 1e3, process.resident()?);
        println!(
            "{:<22} {ready:>8.0}{} {resident:>8.1}{}",
            process.name,
            mark(ready, READY_MS),
            mark(resident, IDLE_MIB)
        );
    }
    println!();
    Ok(())
}

/// Prints the head of the table.
pub(crate) fn head() {
    println!(
        "{:<17} {:>5} {:<13} {:>7} | {:>7} {:>7} {:>7} | {:>7} {:>7} | {:>7} {:>7} | ratios (goal)",
        "", "", "", "", "CPU us", "a call", "", "latency", "ms", "RSS", "MiB"
    );
    println!(
        "{:<17} {:>5} {:<13} {:>7} | {:>7} {:>7} {:>7} | {:>7} {:>7} | {:>7} {:>7} |",
        "call", "conns", "way", "calls", "hop", "service", "both", "p50", "p99", "hop", "service"
    );
}

/// Prints what was measured of one kind of call at one number of connections.
pub(crate) fn lines(work: Work, connections: usize, all: &[Measured]) {
    for measured in all {
        let hop = |number: fn(&Measured, Share) -> f64| {
            measured.hop.map_or_else(|| "-".to_owned(), |hop| format!("{:.1}", number(measured, hop)))
        };
        println!(
            "{work:<17} {connections:>5} {:<13} {:>7} | {:>7} {:>7.1} {:>7.1} | {:>7.3} {:>7.3} | {:>7} {:>7.1} | {}",
            name(measured.way),
            measured.latencies.len(),
            hop(Measured::per_call),
            measured.per_call(measured.service),
            measured.together(),
            measured.quantile(0.5).as_secs_f64() * 1e3,
            measured.quantile(0.99).as_secs_f64() * 1e3,
            hop(|_, share| share.resident_mib),
            measured.service.resident_mib,
            ratios(work, measured, all),
        );
    }
}

/// Prints what a reader must know.
pub(crate) fn foot() {
    println!();
    println!("CPU is user + system of the processes named, from /proc; \"!\" marks a goal that is not met.");
    println!("A write opens an upstream connection of its own, in the yardstick as well.");
    println!(
        "Traces are kept at 10 %; the services also keep metrics and write a log line per call, the yardstick does not."
    );
}

fn name(way: Way) -> &'static str {
    match way {
        Way::Yardstick => "yardstick",
        Way::Service => "service",
        Way::PassThrough => "pass-through +",
        Way::Gateway => "gateway +",
    }
}

fn ratios(work: Work, measured: &Measured, all: &[Measured]) -> String {
    let other = |way: Way| all.iter().find(|measured| measured.way == way);
    let yardstick = other(Way::Yardstick).map_or(f64::NAN, Measured::together);
    let both = measured.together() / yardstick;
    match measured.way {
        Way::Yardstick | Way::PassThrough => String::new(),
        Way::Service => format!("service {both:.2} ({SERVICE}){}", mark(both, SERVICE)),
        Way::Gateway => {
            let hop = |measured: &Measured| measured.hop.map_or(f64::NAN, |hop| measured.per_call(hop));
            let hop = hop(measured) / other(Way::PassThrough).map_or(f64::NAN, hop);
            let goal = match work {
                Work::Large => format!(" ({BOTH}){}", mark(both, BOTH)),
                Work::Write | Work::Read => String::new(),
            };
            format!("hop {hop:.2} ({GATEWAY}){}, both {both:.2}{goal}", mark(hop, GATEWAY))
        }
    }
}

/// Marks a goal that is not met.
pub(crate) fn mark(value: f64, goal: f64) -> &'static str {
    if value <= goal { " " } else { "!" }
}
