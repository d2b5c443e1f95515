//! What can keep a process from starting, in words for the person who starts it.

use std::{fmt::Display, net::SocketAddr};

/// Why a process could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong; the process ends with exit code 64.
    #[error("configuration: {key}: {problem}")]
    Config {
        /// The dotted key, or the name of the file if it cannot be read at all.
        key: String,
        /// What is wrong with it, without the value.
        problem: String,
    },
    /// A listener could not be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Telemetry could not be set up.
    #[error("telemetry: {0}")]
    Telemetry(String),
    /// The program itself could not be built.
    #[error("{0}")]
    Program(String),
}

impl Error {
    /// Names the key that is wrong and what is wrong with it.
    pub fn config(key: impl Into<String>, problem: impl Display) -> Self {
        Self::Config { key: key.into(), problem: problem.to_string() }
    }

    /// Says why the program cannot be built.
    pub fn program(problem: impl Display) -> Self {
        Self::Program(problem.to_string())
    }

    /// The exit code of a process that ends with this error: 64 (EX_USAGE of sysexits.h) for a bad configuration, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config { .. } => 64,
            _ => 1,
        }
    }
}
