//! Programs that run beside the test.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// How long a program may take for a step.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running program and everything that it has written; it is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    lines: Arc<Lines>,
}

#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = Arc::new(Lines::default());
        collect(child.stdout.take().unwrap(), Arc::clone(&lines));
        collect(child.stderr.take().unwrap(), Arc::clone(&lines));
        Self { child, lines }
    }

    /// Waits for a line that has this in it and returns what follows there, up to a character that ends it.
    pub(crate) fn after(&self, what: &str, end: char) -> String {
        let until = Instant::now() + PATIENCE;
        let mut lines = self.lines.lines.lock().unwrap();
        loop {
            let found = lines.iter().find_map(|line| line.split_once(what).map(|(_, rest)| rest));
            if let Some(rest) = found {
                return rest.split(end).next().unwrap().to_owned();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what:?} in {lines:#?}");
            lines = self.lines.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Everything that was written so far.
    pub(crate) fn text(&self) -> String {
        self.lines.lines.lock().unwrap().join("\n")
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A number of its `/proc/PID/status`, such as `VmHWM` in KiB.
    pub(crate) fn number(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// How many files and sockets it has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// Asks the program to end, and waits for it.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(from: impl Read + Send + 'static, lines: Arc<Lines>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            lines.lines.lock().unwrap().push(line);
            lines.more.notify_all();
        }
    });
}
