//! File descriptors: as many as the system lets, and some that connections do not get.

use std::{fs::File, os::fd::AsRawFd};

use rlimit::Resource;

/// What connections of callers leave at most to everything else: the admin port, connections to other services, files.
const MOST_KEPT: u64 = 32;
/// Descriptors that the admin port holds so that it has some when there are none.
const SPARES: usize = 4;

/// Descriptors that can be given up when one is needed.
#[derive(Debug)]
pub struct Spares(Vec<File>);

/// Raises the soft limit to the hard one; logs what came of it.
pub fn raise() {
    let before = limit();
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(now) if Some(now) != before => tracing::info!(before, now, "the limit of open files was raised"),
        Ok(now) => tracing::info!(limit = now, "the limit of open files is as high as it may be"),
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}

/// Warns of a number of connections that the process has no descriptors for.
pub fn warn_of(process: &str, max_connections: usize) {
    if let Some(limit) = limit().filter(|limit| max_connections as u64 > limit.saturating_sub(kept(*limit))) {
        tracing::warn!(
            process,
            max_connections,
            limit,
            "server.max_connections is more than the limit of open files lets (ulimit -n): connections beyond it are refused"
        );
    }
}

/// Whether a socket took one of the last descriptors. The system gives the lowest that is free, so all below are taken.
pub fn is_one_of_the_last(socket: &impl AsRawFd) -> bool {
    let number = u64::try_from(socket.as_raw_fd()).unwrap_or_default();
    limit().is_some_and(|limit| number >= limit - kept(limit))
}

fn kept(limit: u64) -> u64 {
    (limit / 8).min(MOST_KEPT)
}

/// How many there may be now; it can be changed from outside at any time.
fn limit() -> Option<u64> {
    Resource::NOFILE.get_soft().ok()
}

impl Spares {
    /// Takes as many as there are to have.
    pub fn take() -> Self {
        let mut spares = Self(Vec::with_capacity(SPARES));
        spares.refill();
        spares
    }

    /// Gives one up; whether there was one.
    pub fn give_up(&mut self) -> bool {
        self.0.pop().is_some()
    }

    /// Takes those back that were given up.
    pub fn refill(&mut self) {
        while self.0.len() < SPARES
            && let Ok(spare) = File::open("/dev/null")
        {
            self.0.push(spare);
        }
    }
}
