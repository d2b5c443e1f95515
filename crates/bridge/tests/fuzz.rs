//! Readers of what strangers send, fed with mutations of recorded replies and of the corpus in `fuzz/corpus`.
//!
//! A target runs for `FUZZ_SECONDS` (default 0.5) after its seeds. An input that fails is printed in its smallest form and
//! belongs into the corpus, one file each, once the reader is mended.

mod address;
mod markup;
mod mutation;
mod tree;

use std::{
    cell::Cell,
    env, fmt, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, UNIX_EPOCH},
};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use mutation::mutated;

/// What a target says of one input.
type Verdict = Result<(), TestCaseError>;

/// CPU time that one input may cost in a build without optimisation.
const MAX_TIME: Duration = Duration::from_secs(1);

/// From when on a run is a long one.
const LONG: Duration = Duration::from_secs(10);

/// Bytes that reads as text where it is one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Runs a target over its seeds and then over mutations of them until its time is over.
fn run(seeds: Vec<Vec<u8>>, words: &'static [&'static str], check: impl Fn(&[u8]) -> Verdict) {
    assert!(!seeds.is_empty(), "a target without seeds");
    let timed = |bytes: &[u8]| {
        let begun = used();
        check(bytes)?;
        let used = used() - begun;
        let slow = || TestCaseError::fail(format!("{used:?} for {} bytes", bytes.len()));
        if used < MAX_TIME { Ok(()) } else { Err(slow()) }
    };
    for seed in &seeds {
        timed(seed).unwrap_or_else(|error| panic!("{error}: {:?}", Input(seed.clone())));
    }
    let (strategy, runs) = (mutated(seeds, words), Cell::new(0));
    let config = Config { cases: 16, failure_persistence: None, ..Config::default() };
    let (begun, mut round) = (Instant::now(), first_round());
    while begun.elapsed() < seconds() {
        let seed: Vec<u8> = round.to_le_bytes().repeat(4);
        round += 1;
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let result = TestRunner::new_with_rng(config.clone(), rng).run(&strategy, |input| {
            runs.set(runs.get() + 1);
            timed(&input.0)
        });
        result.unwrap_or_else(|error| panic!("{error}"));
    }
    println!("{} inputs", runs.get());
}

/// How long each target runs.
fn seconds() -> Duration {
    let text = env::var_os("FUZZ_SECONDS").and_then(|text| text.into_string().ok());
    let seconds = text.map_or(0.5, |text| text.parse().expect("FUZZ_SECONDS is a number"));
    Duration::from_secs_f64(seconds)
}

/// A short run is the same every time, so that it says something of a change; a long one looks where none has looked.
fn first_round() -> u64 {
    let begun = UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
    if seconds() < LONG { 0 } else { begun }
}

/// CPU time of this thread; the clock on the wall also counts what other programs do.
pub(crate) fn used() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The committed seeds of a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    files(&folder("fuzz/corpus").join(target))
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file")).collect()
}

/// The bodies of recorded replies.
fn recorded(wire: &str) -> Vec<Vec<u8>> {
    let body = |bytes: Vec<u8>| {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("headers end");
        bytes[end + 4..].to_vec()
    };
    files(&folder("captures").join(wire)).into_iter().map(body).collect()
}
