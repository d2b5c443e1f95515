//! Plays golden fixtures against a service, over real sockets, one call per fixture.
//!
//! A fixture is a file `<Rpc>.http` or `<Rpc>.<case>.http` that shows a whole exchange. A line `=== name` begins a section;
//! the line end before it, and the last one of the file, belong to none. In this order it has
//! - `config`: what this fixture changes in the service's configuration;
//! - `delay`: how many seconds the upstream waits before its first answer;
//! - `request`: the request, in proto3 JSON;
//! - `sent`: the exact bytes that the service sends upstream, its own address written as `upstream.example`;
//! - `received`: the reply that is played back, its `content-length` counted anew; an empty one closes the connection
//!   without a word;
//! - `sent 2`, `received 2` and so on for a call of several exchanges, neither for a call that sends nothing;
//! - `reply`: the reply in proto3 JSON, or `{"error": ...}`;
//! - `unreadable`: the fields that the reply names as unreadable; it names none where the section is absent.
//!
//! The file `login.http` has the exchange that opens the session of each fresh service; a fixture's own `sent login` and
//! `received login` take its place. With `UPDATE=1` the sections `sent`, `reply` and `unreadable` are written anew, for a
//! person to read before they are kept.

mod case;
mod fixture;
mod library;
mod recording;
mod remote;
mod text;
mod upstream;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use chassis::{Program, Running};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use tokio::{runtime, sync::Semaphore, task::JoinSet};
use toml::Table;

use case::Case;
use fixture::Fixture;
use upstream::Upstream;

pub use ispbridge_parts as parts;
pub use library::Library;
pub use recording::{Recording, recordings};

/// Services that run side by side: enough to hide those that wait, few enough that none is starved.
const AT_A_TIME: usize = 8;

/// A process for this machine alone, on any free port.
const CHASSIS: &str = "server.listen = \"127.0.0.1:0\"\ncallers.mode = \"open\"\n";

/// Where a service under test finds its upstream and its secrets.
#[derive(Debug)]
pub struct Setup {
    url: String,
    secrets: PathBuf,
}

impl Setup {
    /// The upstream's address, without a path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Keeps a secret and returns its reference as it stands in a configuration file.
    ///
    /// # Panics
    /// If the file cannot be written.
    #[must_use]
    pub fn secret(&self, name: &str, value: &str) -> String {
        let path = self.secrets.join(name);
        fs::write(&path, value).expect("the folder of secrets can be written");
        format!("{{ file = {path:?} }}")
    }
}

/// Plays all fixtures of a folder; `config` writes the program's own sections of the configuration file.
///
/// # Panics
/// If a fixture does not play as recorded, or an RPC has none; the text shows all of them.
pub fn run<P: Program>(folder: &str, descriptors: &[u8], config: fn(&Setup) -> String) {
    let methods = methods(descriptors);
    let folder = Path::new(folder);
    let names = names(folder);
    let mut failures: Vec<String> = methods
        .iter()
        .filter(|method| !names.iter().any(|name| rpc(name) == method.name()))
        .map(|method| format!("{}: has no fixture", method.name()))
        .collect();
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be built");
    runtime.block_on(async {
        let mut plays = JoinSet::new();
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        for name in names.into_iter().filter(|name| name != fixture::LOGIN) {
            match methods.iter().find(|method| method.name() == rpc(&name)) {
                Some(method) => {
                    let fixture = match Fixture::read(folder, &name) {
                        Ok(fixture) => fixture,
                        Err(error) => {
                            failures.push(error);
                            continue;
                        }
                    };
                    let (method, places) = (method.clone(), places.clone());
                    plays.spawn(async move {
                        let _place = places.acquire().await;
                        play::<P>(fixture, method, config).await
                    });
                }
                None => failures.push(format!("{name}: there is no such RPC")),
            }
        }
        while let Some(played) = plays.join_next().await {
            failures.extend(played.expect("a play returns what went wrong").err());
        }
    });
    failures.sort();
    assert!(failures.is_empty(), "{} failures\n\n{}\n", failures.len(), failures.join("\n\n"));
}

/// Plays the plain fixtures, those that are no further case of their RPC, one after the other against an upstream that
/// stands elsewhere, such as the library that the real one is made of. Only the replies are compared, and none while
/// recordings are written.
///
/// # Panics
/// If a reply is not the recorded one; the text shows all of them.
pub fn run_beside<P: Program>(folder: &str, descriptors: &[u8], url: &str, config: fn(&Setup) -> String) {
    if fixture::is_update() {
        return;
    }
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be built");
    let failures = runtime.block_on(async {
        let secrets = tempfile::tempdir().expect("a folder for secrets can be made");
        let setup = Setup { url: url.to_owned(), secrets: secrets.path().to_owned() };
        let (config, mut services, mut failures) = (config(&setup), Services::default(), Vec::new());
        for method in methods(descriptors) {
            let compared = match Fixture::read(Path::new(folder), method.name()) {
                Ok(fixture) => services.compare::<P>(&fixture, &method, &config).await,
                Err(error) => Err(error),
            };
            failures.extend(compared.err().map(|text| format!("{}: {text}", method.name())));
        }
        services.drain().await;
        failures
    });
    assert!(failures.is_empty(), "{} failures\n\n{}\n", failures.len(), failures.join("\n\n"));
}

/// Services that run for several fixtures, one for each configuration that those have.
#[derive(Default)]
struct Services(Vec<(Table, Running)>);

impl Services {
    async fn compare<P: Program>(
        &mut self,
        fixture: &Fixture,
        method: &MethodDescriptor,
        config: &str,
    ) -> Result<(), String> {
        let table = fixture.config(&[CHASSIS, config])?;
        if self.0.iter().all(|(known, _)| *known != table) {
            let running = chassis::start::<P>(table.clone()).await.map_err(|error| error.to_string())?;
            self.0.push((table.clone(), running));
        }
        let service = self.0.iter().find(|(known, _)| *known == table).ok_or("no service has this configuration")?;
        let answer = remote::call(service.1.grpc_addr(), method, fixture.request(method)?).await?;
        fixture.compare_reply(&answer)
    }

    async fn drain(self) {
        for (_, running) in self.0 {
            running.drain().await;
        }
    }
}

/// The RPCs of our own packages; their names tell them apart within a provider.
fn methods(descriptors: &[u8]) -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(descriptors).expect("the program's descriptors can be read");
    let methods: Vec<_> =
        pool.services().flat_map(|service| service.methods().collect::<Vec<_>>().into_iter()).collect();
    let distinct: BTreeSet<_> = methods.iter().map(|method| method.name().to_owned()).collect();
    assert_eq!(distinct.len(), methods.len(), "two RPCs have the same name");
    methods
}

/// A section of a fixture's file, for tests that use it some other way.
///
/// # Panics
/// If the file cannot be read or has no such section.
#[must_use]
pub fn section(file: &Path, name: &str) -> Vec<u8> {
    let case = Case::read(file).unwrap_or_else(|error| panic!("{error}"));
    let bytes = case.get(name).unwrap_or_else(|| panic!("{} has no section {name:?}", file.display()));
    bytes.to_vec()
}

/// The names of all fixtures in a folder, in order; `login` is one where it is there. Beside them only the README may stand,
/// so that no fixture is left out because of its name.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
    let name = |file: String| match file.strip_suffix(".http") {
        Some(name) => name.to_owned(),
        None => panic!("{}: {file} must end with .http", folder.display()),
    };
    let mut names: Vec<_> = names.filter(|file| file != "README.md").map(name).collect();
    names.sort();
    names
}

fn rpc(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Plays one fixture against a service of its own.
async fn play<P: Program>(
    fixture: Fixture,
    method: MethodDescriptor,
    config: fn(&Setup) -> String,
) -> Result<(), String> {
    let failed = |text: String| format!("{}: {text}", fixture.name());
    let delay = fixture.delay().map_err(failed)?;
    let upstream = Upstream::open(fixture.answers().map_err(failed)?, delay).await.map_err(failed)?;
    let answer = call::<P>(&fixture, &method, config, upstream.url()).await.map_err(failed)?;
    let sent = upstream.close();
    let result = if fixture::is_update() { fixture.update(&sent, &answer) } else { fixture.compare(&sent, &answer) };
    result.map_err(failed)
}

/// Makes a fixture's call through a service of its own that finds its upstream at an address.
async fn call<P: Program>(
    fixture: &Fixture,
    method: &MethodDescriptor,
    config: fn(&Setup) -> String,
    url: String,
) -> Result<remote::Answer, String> {
    let secrets = tempfile::tempdir().map_err(|error| error.to_string())?;
    let setup = Setup { url, secrets: secrets.path().to_owned() };
    let table = fixture.config(&[CHASSIS, &config(&setup)])?;
    let running = chassis::start::<P>(table).await.map_err(|error| error.to_string())?;
    let request = fixture.request(method)?;
    let answer = remote::call(running.grpc_addr(), method, request).await?;
    running.drain().await;
    Ok(answer)
}
