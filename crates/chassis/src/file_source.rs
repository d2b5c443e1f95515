//! A file beside the configuration that is a source of its own: its changes count whatever is wrong elsewhere.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use config::{Content, Error, Noted, noting};

use telemetry::Instruments;

use crate::{
    config_status::{Refusal, SourceState, seconds},
    watched::Watched,
};

/// Problems that are written into the log each time.
const LOGGED: usize = 20;
/// Problems that are shown.
const SHOWN: usize = 200;

/// A file that a program reads by itself, apart from its configuration ([`Process::follow`](crate::Process::follow)).
pub trait FileSource: Send + Sync {
    /// Its name in log, metrics and `/config`.
    fn name(&self) -> &'static str;

    /// Where it is now, if there is one; a reload of the configuration may change it.
    fn file(&self) -> Option<PathBuf>;

    /// Reads the file with [`config::read`] and takes all of it that is right.
    ///
    /// # Errors
    /// Why nothing of it is taken; what was taken before stays.
    fn take(&self) -> Result<(), Error>;

    /// What of the file is not taken, an entry each, in words without a secret.
    fn problems(&self) -> Vec<String>;
}

/// A file source and what has become of it.
pub(crate) struct Sourced {
    source: Arc<dyn FileSource>,
    /// Name of the process.
    process: &'static str,
    instruments: Instruments,
    state: Mutex<State>,
    /// One reading at a time.
    taking: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// What the file held when it was last read or seen.
    noted: Noted,
    /// What it held when it was last taken.
    taken: Option<Content>,
    taken_at: Option<SystemTime>,
    refused: Option<Refusal>,
}

impl Sourced {
    /// Takes a source for the first time.
    pub(crate) fn open(
        source: Arc<dyn FileSource>,
        process: &'static str,
        instruments: &Instruments,
    ) -> Result<Self, Error> {
        let sourced = Self {
            source,
            process,
            instruments: instruments.clone(),
            state: Mutex::default(),
            taking: Mutex::default(),
        };
        sourced.try_take()?;
        Ok(sourced)
    }

    /// Takes the file as it is now; says what became of it in log, metrics and `/config`.
    pub(crate) fn retake(&self) -> Result<(), Error> {
        let (process, source) = (self.process, self.source.name());
        match self.try_take() {
            Ok(()) => {
                tracing::info!(process, source, "the file was taken");
                self.instruments.count_reload(source, "ok");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(process, source, %error, "the file is not taken; what it said before stays");
                self.instruments.count_reload(source, "failed");
                self.with(|state| state.refused = Some(Refusal::of(&error)));
                Err(error)
            }
        }
    }

    fn try_take(&self) -> Result<(), Error> {
        let _one = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, noted) = noting(|| self.source.take());
        let taken = noted.values().next_back().copied();
        self.with(|state| {
            state.noted = noted;
            if result.is_ok() {
                (state.taken, state.taken_at, state.refused) = (taken, Some(SystemTime::now()), None);
            }
        });
        result?;
        let problems = self.source.problems();
        for problem in problems.iter().take(LOGGED) {
            tracing::warn!(process = self.process, source = self.source.name(), problem, "an entry is not taken");
        }
        if problems.len() > LOGGED {
            let (process, source, count) = (self.process, self.source.name(), problems.len());
            tracing::warn!(process, source, count, "more entries are not taken");
        }
        Ok(())
    }

    /// What has become of it.
    pub(crate) fn state(&self) -> SourceState {
        let (name, file, mut problems) = (self.source.name(), self.source.file(), self.source.problems());
        if problems.len() > SHOWN {
            let more = format!("... and {} more", problems.len() - SHOWN);
            problems.splice(SHOWN.., [more]);
        }
        self.with(|state| SourceState {
            name,
            file,
            sha256: state.taken.and_then(|content| content.sha256()),
            taken_at: state.taken_at.map(seconds),
            last_error: state.refused.clone(),
            problems,
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watched for Sourced {
    fn name(&self) -> &'static str {
        self.source.name()
    }

    fn files(&self) -> Noted {
        let Some(file) = self.source.file() else { return Noted::new() };
        let noted = self.with(|state| state.noted.get(&file).copied());
        Noted::from([(file, noted.unwrap_or(Content::Unreadable))])
    }

    fn take(&self, _: Noted) -> bool {
        self.retake().is_ok()
    }
}

impl fmt::Debug for Sourced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sourced").field("name", &self.source.name()).finish_non_exhaustive()
    }
}
