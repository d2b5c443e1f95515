//! What was promised and what came of it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use super::{
    Noticed, Phase,
    load::{Call, End},
};
use crate::{Failure, measured::quantile};

/// Different failures that are shown.
const SHOWN: usize = 12;

/// What became of the calls that were due in one phase.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    calls: usize,
    failed_reads: usize,
    writes: usize,
    unknown: usize,
    refused: usize,
    /// Refused as if nothing had been done, and yet it was.
    untrue: usize,
    twice: usize,
    /// Answered as done and not done.
    lost: usize,
    /// In order.
    latencies: Vec<Duration>,
}

/// The whole table.
pub(super) struct Report {
    rows: Vec<(&'static str, Row)>,
    /// What was said to calls that did not go well, and how often.
    said: BTreeMap<String, usize>,
}

impl Report {
    pub(super) fn new(calls: &[Call], executions: &HashMap<String, u32>) -> Self {
        let mut rows = Vec::new();
        for phase in Phase::ALL {
            let of_phase = calls.iter().filter(|call| call.phase == phase);
            rows.push((phase.name(), Row::of(of_phase, executions)));
        }
        rows.push(("all", Row::of(calls.iter(), executions)));
        let mut said = BTreeMap::new();
        for call in calls {
            if let End::Refused(words) = &call.end {
                let kind = if call.order.is_some() { "write" } else { "read" };
                *said.entry(format!("{kind}: {words}")).or_default() += 1;
            }
        }
        Self { rows, said }
    }

    /// Prints everything and fails if a promise was broken.
    pub(super) fn print(&self, noticed: &[Noticed]) -> Result<(), Failure> {
        println!("{self}");
        print_noticed(noticed);
        for (words, times) in self.said.iter().take(SHOWN) {
            println!("{times:>7} times {words}");
        }
        match self.rows.last().is_some_and(|(_, all)| all.is_kept()) {
            true => Ok(()),
            false => Err("a promise was broken".into()),
        }
    }
}

/// Prints how long each thing took, in the order of their first times.
fn print_noticed(noticed: &[Noticed]) {
    println!("{:>5} {:>7} {:>7}  seconds until", "times", "least", "most");
    let mut left: Vec<_> = noticed.iter().collect();
    while let Some(&&Noticed { what, .. }) = left.first() {
        let (same, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|other| other.what == what);
        let seconds = || same.iter().map(|noticed| noticed.after.as_secs_f64());
        let (least, most) = (seconds().fold(f64::INFINITY, f64::min), seconds().fold(0.0, f64::max));
        println!("{:>5} {least:>7.2} {most:>7.2}  {what}", same.len());
        left = others;
    }
    println!();
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<22} {:>7} | {:>7} | {:>47} | {:>16}", "", "", "reads", "writes", "latency ms")?;
        writeln!(
            f,
            "{:<22} {:>7} | {:>7} | {:>6} {:>7} {:>7} {:>8} {:>6} {:>6} | {:>7} {:>8}",
            "phase", "calls", "failed", "all", "unknown", "refused", "yet done", "twice", "lost", "p50", "p99"
        )?;
        self.rows.iter().try_for_each(|(name, row)| writeln!(f, "{name:<22} {row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, failed_reads, writes, unknown, refused, untrue, twice, lost, latencies } = self;
        let [p50, p99] = [0.5, 0.99].map(|share| quantile(latencies, share).as_secs_f64() * 1e3);
        write!(f, "{calls:>7} | {failed_reads:>7} | {writes:>6} {unknown:>7} {refused:>7} {untrue:>8} {twice:>6} ")?;
        write!(f, "{lost:>6} | {p50:>7.1} {p99:>8.1}")
    }
}

impl Row {
    fn of<'c>(calls: impl Iterator<Item = &'c Call>, executions: &HashMap<String, u32>) -> Self {
        let mut row = Self::default();
        for call in calls {
            row.calls += 1;
            row.latencies.push(call.took);
            match &call.order {
                None => row.failed_reads += usize::from(call.end != End::Well),
                Some(order) => row.count_write(&call.end, executions.get(order).copied().unwrap_or(0)),
            }
        }
        row.latencies.sort_unstable();
        row
    }

    fn count_write(&mut self, end: &End, executions: u32) {
        self.writes += 1;
        self.twice += usize::from(executions > 1);
        match end {
            End::Well => self.lost += usize::from(executions == 0),
            End::Unknown => self.unknown += 1,
            End::Refused(_) => {
                self.refused += 1;
                self.untrue += usize::from(executions > 0);
            }
        }
    }

    /// Whether everything that is promised was kept.
    fn is_kept(&self) -> bool {
        self.calls > 0 && [self.failed_reads, self.untrue, self.twice, self.lost] == [0; 4]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(id: &str, end: End) -> Call {
        Call { phase: Phase::Kill, order: Some(id.to_owned()), end, took: Duration::from_millis(1) }
    }

    #[test]
    fn every_broken_promise_is_counted() {
        let refused = || End::Refused("no".to_owned());
        let read = |end| Call { order: None, ..write("", end) };
        let executions = HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2), ("c".to_owned(), 1)]);
        let kept = [write("a", End::Well), write("a", End::Unknown), write("x", End::Unknown), write("x", refused())];
        assert!(Row::of(kept.iter().chain([&read(End::Well)]), &executions).is_kept());
        for broken in [write("b", End::Unknown), write("x", End::Well), write("c", refused()), read(refused())] {
            let row = Row::of([&broken].into_iter(), &executions);
            assert!(!row.is_kept(), "{row:?}");
        }
    }
}
