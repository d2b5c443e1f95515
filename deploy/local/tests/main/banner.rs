//! What the program prints when it starts, typed by somebody who reads it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use ispbridge_parts::GRPCURL;
use serde_json::Value;

struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "which program runs a test is no setting of the suite")]
fn the_grpcurl_line_works_as_it_is_printed() {
    let Some(grpcurl) = GRPCURL.command() else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_ispbridge"));
    command.args(["up", "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut suite = Ends(command.spawn().unwrap());
    let mut lines = BufReader::new(suite.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.trim_start().starts_with("grpcurl ")).unwrap();
    let line = line.trim_start().replacen("grpcurl", &grpcurl.get_program().to_string_lossy(), 1);
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!answer["predefinedPremises"].as_array().unwrap().is_empty(), "{answer}");
}
