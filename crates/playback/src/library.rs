//! A server made of the library that an upstream is made of, run beside a test.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// A Perl server that ends with its test.
#[derive(Debug)]
pub struct Library {
    process: Child,
    url: String,
}

impl Library {
    /// Starts a script that says `listening on PORT`; `None`, and a line that says why, where Perl lacks `module` and it
    /// is not required.
    ///
    /// # Panics
    /// If the module is required (`ISPBRIDGE_REAL_PARTS=required`) and absent, or the script does not listen.
    #[expect(clippy::disallowed_methods, reason = "a switch of the place where tests run, no setting of a process")]
    #[must_use]
    pub fn start(module: &str, script: &str, arguments: &[&str]) -> Option<Self> {
        let has = Command::new("perl").args([&format!("-M{module}"), "-e", "1"]).output();
        if !has.is_ok_and(|check| check.status.success()) {
            let is_required = std::env::var("ISPBRIDGE_REAL_PARTS").is_ok_and(|value| value == "required");
            assert!(!is_required, "perl has no {module}");
            println!("skipped: perl has no {module}");
            return None;
        }
        let mut process =
            Command::new("perl").arg(script).args(arguments).stdout(Stdio::piped()).spawn().expect("perl starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("the output is piped");
        BufReader::new(output).read_line(&mut line).expect("the script says something");
        let port = line.trim().strip_prefix("listening on ").expect("the script says where it listens");
        let url = format!("http://127.0.0.1:{port}");
        Some(Self { process, url })
    }

    /// Its address, without a path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
