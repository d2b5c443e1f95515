//! What the system says that a process used.

use std::{fs, io, time::Duration};

/// Clock ticks of `/proc/PID/stat`: USER_HZ, 100 on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process since it started, all of its threads, user and system together (proc(5), fields 14 and 15).
pub(crate) fn cpu(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program stands in parentheses and may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_ascii_whitespace();
    let ticks: u32 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

/// Resident memory of a process in KiB (`VmRSS`).
pub(crate) fn resident_kib(pid: u32) -> io::Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// The most memory that a process ever had resident, in KiB (`VmHWM`).
pub(crate) fn peak_kib(pid: u32) -> io::Result<u64> {
    status_kib(pid, "VmHWM:")
}

/// Open descriptors of a process.
pub(crate) fn descriptors(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

fn status_kib(pid: u32, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
    line.split_ascii_whitespace().next().and_then(|kib| kib.parse().ok()).ok_or(io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_has_used_time_and_memory() {
        let own = std::process::id();
        let begun = std::time::Instant::now();
        let before = cpu(own).unwrap();
        while begun.elapsed() < Duration::from_millis(200) {
            std::hint::black_box(begun.elapsed());
        }
        let used = cpu(own).unwrap() - before;
        assert!(used >= Duration::from_millis(20), "{used:?}");
        let resident = resident_kib(own).unwrap();
        assert!(resident > 500 && peak_kib(own).unwrap() >= resident / 2 && descriptors(own).unwrap() > 2);
    }
}
