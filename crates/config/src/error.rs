//! What can keep a process from starting, in words for the person who starts it.

use std::{
    fmt::{self, Display},
    io,
    net::SocketAddr,
};

/// Why a process could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong; the process ends with exit code 64.
    #[error("configuration: {0}")]
    Config(Mistakes),
    /// A listener could not be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// Telemetry could not be set up.
    #[error("telemetry: {0}")]
    Telemetry(String),
    /// The program itself could not be built.
    #[error("{0}")]
    Program(String),
}

/// All that is wrong with a configuration; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub(crate) Vec<Mistake>);

/// One thing that is wrong with a configuration, or that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands, if that is known: `file:line`, or the variable that set it.
    pub place: Option<String>,
    /// The dotted key, with indices into lists; empty where no key is to blame.
    pub key: String,
    /// What is wrong, without the value: it may be a secret at the wrong place.
    pub text: String,
}

impl Mistake {
    /// What is wrong at a key.
    pub fn new(key: impl Into<String>, text: impl Display) -> Self {
        Self { place: None, key: key.into(), text: text.to_string() }
    }

    /// What is wrong at a place, a line for one, where no key is to blame.
    pub(crate) fn at(place: impl Into<String>, text: impl Display) -> Self {
        Self { place: Some(place.into()), key: String::new(), text: text.to_string() }
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = self.place.iter().chain(Some(&self.key).filter(|key| !key.is_empty()));
        before.try_for_each(|part| write!(f, "{part}: "))?;
        f.write_str(&self.text)
    }
}

impl Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{mistake}")?;
        }
        Ok(())
    }
}

impl Mistakes {
    /// One by one, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl Error {
    /// Names the key that is wrong and says what it must be.
    pub fn config(key: impl Into<String>, problem: impl Display) -> Self {
        Self::Config(Mistakes(vec![Mistake::new(key, problem)]))
    }

    /// Says what is wrong at a place beside the configuration: `file:line` of a file that it names.
    pub fn at(place: impl Into<String>, problem: impl Display) -> Self {
        Self::Config(Mistakes(vec![Mistake::at(place, problem)]))
    }

    /// Says why the program cannot be built.
    pub fn program(problem: impl Display) -> Self {
        Self::Program(problem.to_string())
    }

    /// The same in lines: one for each mistake of a configuration.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Config(mistakes) => mistakes.iter().map(|mistake| format!("configuration: {mistake}")).collect(),
            other => vec![other.to_string()],
        }
    }

    /// The exit code of a process that ends with this error: 64 (EX_USAGE of sysexits.h) for a bad configuration, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 64,
            _ => 1,
        }
    }
}
