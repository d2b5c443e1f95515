//! A server made of the library that an upstream is made of, run beside a test.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use ispbridge_parts::Part;

/// A Perl server that ends with its test.
#[derive(Debug)]
pub struct Library {
    process: Child,
    url: String,
}

impl Library {
    /// Starts a script that says `listening on PORT`; `None` where Perl lacks the library.
    ///
    /// # Panics
    /// If the library is missing and required (`ISPBRIDGE_REQUIRE`), or the script does not listen.
    #[must_use]
    pub fn start(library: &Part, script: &str, arguments: &[&str]) -> Option<Self> {
        let mut perl = library.command()?;
        let mut process = perl.arg(script).args(arguments).stdout(Stdio::piped()).spawn().expect("perl starts");
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
