//! What a command says to the person who ran it. `println!` panics when its reader has left.

use std::{
    io::{self, ErrorKind, Write},
    process::ExitCode,
};

/// Writes a command's answer to standard output and returns the exit code `code`.
///
/// A reader that has seen enough (`| head`) is no failure.
pub fn answer(text: &str, code: u8) -> ExitCode {
    match write(io::stdout().lock(), text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => complain(&format!("standard output: {error}"), 1),
        _ => ExitCode::from(code),
    }
}

/// Writes what went wrong to standard error and returns the exit code `code`.
pub fn complain(text: &str, code: u8) -> ExitCode {
    // Nobody is left to be told that standard error is gone.
    let _ = write(io::stderr().lock(), text);
    ExitCode::from(code)
}

/// Shows what clap made of a command line: its help, or what is wrong with it.
pub fn refuse(error: &clap::Error) -> ExitCode {
    let text = error.render();
    match error.use_stderr() {
        true => complain(&text.to_string(), 64),
        false => answer(&text.to_string(), 0),
    }
}

/// Writes a text that ends with a line's end, whether it has one or not.
fn write(mut output: impl Write, text: &str) -> io::Result<()> {
    output.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        output.write_all(b"\n")?;
    }
    output.flush()
}
