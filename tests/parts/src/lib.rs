//! The real parts that some tests need: programs and libraries that others wrote, which a machine may lack.
//!
//! A test whose part is missing must never look like one that passed. Where `ISPBRIDGE_REQUIRE` names the part, the test
//! fails; elsewhere it does nothing, and says so in one line on stderr that the test runner does not capture:
//!
//! ```text
//! not run: polyglot::the_curl_of_the_readme_works: curl is missing (Debian: curl)
//! ```
//!
//! ```no_run
//! # fn the_test() {
//! let Some(mut curl) = ispbridge_parts::CURL.command() else { return };
//! # }
//! ```

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    process::{Command, Stdio},
    thread,
};

/// The variable that names, separated by commas, the parts that a machine must have.
pub const REQUIRE: &str = "ISPBRIDGE_REQUIRE";

/// A program, or a library of an interpreter.
#[derive(Debug)]
pub struct Part {
    /// Its name in `ISPBRIDGE_REQUIRE`.
    pub name: &'static str,
    /// Where it comes from.
    pub from: &'static str,
    /// The variable that says where it is, if it is not in the path.
    pub variable: Option<&'static str>,
    /// The program in the path.
    program: &'static str,
    /// Arguments with which the program succeeds if the part is whole.
    check: &'static [&'static str],
}

/// curl, a client of HTTP.
pub const CURL: Part = Part::new("curl", "curl", &["--version"], "Debian: curl");
/// openssl, which makes certificates.
pub const OPENSSL: Part = Part::new("openssl", "openssl", &["version"], "Debian: openssl");
/// `protoc`, the compiler of contracts that others use.
pub const PROTOC: Part = Part::new("protoc", "protoc", &["--version"], "Debian: protobuf-compiler");
/// Perl's SOAP::Lite, of which Azotel's server is made.
pub const SOAP_LITE: Part =
    Part::new("soap-lite", "perl", &["-MSOAP::Transport::HTTP", "-e1"], "Debian: libsoap-lite-perl");
/// Perl's XMLRPC::Lite, of which Freeside's server is made.
pub const XMLRPC_LITE: Part = Part::new(
    "xmlrpc-lite",
    "perl",
    &["-MXMLRPC::Transport::HTTP", "-MXMLRPC::Lite", "-e1"],
    "Debian: libxmlrpc-lite-perl",
);
/// Perl's XML::Simple, with which Azotel writes its results.
pub const XML_SIMPLE: Part = Part::new("xml-simple", "perl", &["-MXML::Simple", "-e1"], "Debian: libxml-simple-perl");
/// PHP without extensions.
pub const PHP: Part = Part::new("php", "php", &["-v"], "Debian: php-cli");
/// PHP's SOAP server.
pub const PHP_SOAP: Part =
    Part::new("php-soap", "php", &["-r", "exit(class_exists('SoapServer') ? 0 : 1);"], "Debian: php-cli php-soap");
/// Python with its own library only.
pub const PYTHON: Part =
    Part::new("python", "python3", &["-c", "import urllib.parse"], "Debian: python3").at("ISPBRIDGE_PYTHON");
/// Python's gRPC with reflection and the details of a status.
pub const PYTHON_GRPC: Part = Part::new(
    "python-grpc",
    "python3",
    &["-c", "import grpc, grpc_reflection, grpc_status, google.rpc"],
    "pip: grpcio grpcio-reflection grpcio-status googleapis-common-protos",
)
.at("ISPBRIDGE_PYTHON");
/// Python's protobuf with its JSON.
pub const PYTHON_PROTOBUF: Part =
    Part::new("python-protobuf", "python3", &["-c", "import google.protobuf.json_format"], "pip: protobuf")
        .at("ISPBRIDGE_PYTHON");
/// Python's validator of OpenAPI documents.
pub const PYTHON_OPENAPI: Part =
    Part::new("python-openapi", "python3", &["-c", "import openapi_spec_validator"], "pip: openapi-spec-validator")
        .at("ISPBRIDGE_PYTHON");
/// Python's parser of OpenMetrics.
pub const PYTHON_PROMETHEUS: Part = Part::new(
    "python-prometheus",
    "python3",
    &["-c", "import prometheus_client.openmetrics.parser"],
    "pip: prometheus_client",
)
.at("ISPBRIDGE_PYTHON");
/// Node.js; its packages and generated code are in `tests/suite/node`.
pub const NODE: Part =
    Part::new("node", "node", &["--version"], "Node.js; npm ci && npm run generate in tests/suite/node");
/// Chromium, driven by playwright-core from Node.js.
pub const BROWSER: Part = Part::new("browser", "chromium", &["--version"], "Debian: chromium; npm: playwright-core")
    .at("ISPBRIDGE_NODE_MODULES");
/// grpcurl, a client in Go.
pub const GRPCURL: Part =
    Part::new("grpcurl", "grpcurl", &["-version"], "go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4")
        .at("ISPBRIDGE_GRPCURL");
/// buf, whose `curl` is a client in Go.
pub const BUF: Part = Part::new("buf", "buf", &["--version"], "npm: @bufbuild/buf@1.75.0").at("ISPBRIDGE_BUF");
/// HashiCorp's Consul.
pub const CONSUL: Part = Part::new("consul", "consul", &["version"], "Debian bullseye: consul").at("ISPBRIDGE_CONSUL");
/// A folder in which compilers of other languages install what stubs need.
pub const STUBS: Part =
    Part::new("stubs", "mvn", &["--version"], "Debian: protobuf-compiler maven python3-venv; Go, Node.js, buf")
        .at("ISPBRIDGE_STUBS");
/// A file system that is full after 64 KiB.
pub const SMALL_DISK: Part = Part::new("small-disk", "mount", &["--version"], "root that may mount a tmpfs");

/// Every part. Continuous integration requires each of them.
pub const ALL: &[Part] = &[
    CURL,
    OPENSSL,
    PROTOC,
    SOAP_LITE,
    XMLRPC_LITE,
    XML_SIMPLE,
    PHP,
    PHP_SOAP,
    PYTHON,
    PYTHON_GRPC,
    PYTHON_PROTOBUF,
    PYTHON_OPENAPI,
    PYTHON_PROMETHEUS,
    NODE,
    BROWSER,
    GRPCURL,
    BUF,
    CONSUL,
    STUBS,
    SMALL_DISK,
];

impl Part {
    const fn new(
        name: &'static str,
        program: &'static str,
        check: &'static [&'static str],
        from: &'static str,
    ) -> Self {
        Self { name, from, variable: None, program, check }
    }

    const fn at(mut self, variable: &'static str) -> Self {
        self.variable = Some(variable);
        self
    }

    /// What its variable says.
    #[must_use]
    pub fn place(&self) -> Option<OsString> {
        env::var_os(self.variable?)
    }

    /// The program as it is called here, for a part whose variable names one.
    #[must_use]
    pub fn program(&self) -> OsString {
        self.place().unwrap_or_else(|| self.program.into())
    }

    /// A command that starts the program; `None`, after a line on stderr, where the part is missing.
    ///
    /// # Panics
    /// If the part is missing and required.
    #[must_use]
    pub fn command(&self) -> Option<Command> {
        self.is_here().then(|| Command::new(self.program()))
    }

    /// Whether the program runs here and is whole; says that the test does not run if not.
    ///
    /// # Panics
    /// If the part is missing and required.
    #[must_use]
    pub fn is_here(&self) -> bool {
        let mut check = Command::new(self.program());
        check.args(self.check).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.found(check.status().is_ok_and(|status| status.success()))
    }

    /// Takes a test's own word for whether the part is here; says that the test does not run if not.
    ///
    /// # Panics
    /// If the part is missing and required.
    #[must_use]
    pub fn found(&self, is_here: bool) -> bool {
        if !is_here {
            let thread = thread::current();
            let line = self.missing(thread.name().unwrap_or("a test"));
            assert!(!self.is_required(), "{line}, and {REQUIRE} names it");
            // Unlike `eprintln!` this passes the capture of the test runner.
            let _ = writeln!(io::stderr(), "{line}");
        }
        is_here
    }

    /// The line that says that a test does not run.
    fn missing(&self, test: &str) -> String {
        let variable = self.variable.map(|name| format!("; {name} says where")).unwrap_or_default();
        format!("not run: {test}: {} is missing ({}{variable})", self.name, self.from)
    }

    #[expect(clippy::disallowed_methods, reason = "what a machine must have is no setting of a process")]
    fn is_required(&self) -> bool {
        let required = env::var(REQUIRE).unwrap_or_default();
        named(&required).contains(&self.name)
    }
}

/// The parts that a text names.
///
/// # Panics
/// If a name is that of no part: nobody would notice that nothing requires it.
fn named(required: &str) -> Vec<&str> {
    let names: Vec<_> = required.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    for name in &names {
        let known = ALL.iter().any(|part| part.name == *name);
        assert!(known, "{REQUIRE} names {name:?}, which is no part; the parts are {}", names_of_all());
    }
    names
}

/// All names, as `ISPBRIDGE_REQUIRE` takes them.
#[must_use]
pub fn names_of_all() -> String {
    ALL.iter().map(|part| part.name).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_no_part_is_refused() {
        assert_eq!(named(" curl, php,"), ["curl", "php"]);
        assert_eq!(named(&names_of_all()).len(), ALL.len());
        let refused = std::panic::catch_unwind(|| named("curl,grpccurl"));
        let said = refused.unwrap_err().downcast::<String>().unwrap();
        assert!(said.starts_with("ISPBRIDGE_REQUIRE names \"grpccurl\""), "{said}");
    }

    #[test]
    fn each_part_has_a_name_of_its_own() {
        let mut names: Vec<_> = ALL.iter().map(|part| part.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn the_line_names_test_part_and_origin() {
        let said = GRPCURL.missing("go_clients::grpcurl_calls");
        assert!(said.starts_with("not run: go_clients::grpcurl_calls: grpcurl is missing (go install "), "{said}");
        assert!(said.ends_with("; ISPBRIDGE_GRPCURL says where)"), "{said}");
    }
}
