//! A service as a process, against a server that somebody else's library is.

use std::{fs, os::unix::process::CommandExt, path::Path, process::Command, thread, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{caller::Call, child::Running, encodings};

pub(crate) const USERNAME: &str = "reseller";
pub(crate) const PASSWORD: &str = "pässword+of/the&peer";
/// A server in its supplier's language and a service process that is configured for it.
pub(crate) struct Peer {
    server: Running,
    service: Running,
    provider: &'static str,
    address: String,
    _folder: TempDir,
}

impl Peer {
    /// Starts a service for a server that runs and listens on `port`.
    pub(crate) fn of(server: Running, provider: &'static str, port: &str, account: impl Fn(&str) -> String) -> Self {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("service.toml");
        fs::write(&config, configuration(folder.path(), &account(port))).unwrap();
        let mut service = Command::new(env!("CARGO_BIN_EXE_programs"));
        service.arg0(format!("ispbridge-{provider}")).arg("--config").arg(config);
        let service = Running::start(&mut service);
        let address = format!("http://{}", service.after("\"address\":\"", '"'));
        Self { server, service, provider, address, _folder: folder }
    }

    pub(crate) async fn send(&self, method: &str, request: Value) -> Result<Value, Status> {
        Call::new(&format!("{}.{method}", self.provider), request).send(self.address.clone()).await
    }

    pub(crate) async fn ask(&self, method: &str, request: Value) -> Value {
        let answer = self.send(method, request).await;
        answer.unwrap_or_else(|status| panic!("{method}: {status:?}\n{}", self.service.text()))
    }

    pub(crate) async fn refused(&self, method: &str, request: Value, code: Code, outcome: &str) {
        let status = self.send(method, request).await.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!((status.code(), &*info.metadata["outcome"]), (code, outcome), "{status:?}");
    }

    /// Checks that a function was called so many times; the word of it may come a little later than the answer.
    pub(crate) fn called(&self, function: &str, times: usize) {
        let count = || self.server.text().lines().filter(|line| *line == format!("called {function}")).count();
        let come = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(10));
            count() >= times
        });
        assert!(come && count() == times, "{function} was called {} times", count());
    }

    /// The service ends when it is told to, and its log, which is at the finest level, holds no password.
    pub(crate) fn end(mut self) {
        assert!(self.service.end().success());
        let log = self.service.text();
        assert!(log.contains("ispbridge::call"), "{log}");
        for (form, password) in encodings::all(PASSWORD) {
            assert!(!log.contains(&password), "the password as {form} in {log}");
        }
    }
}

/// A stock daemon of these libraries serves one connection at a time, so none may be kept open.
fn configuration(folder: &Path, account: &str) -> String {
    let password = folder.join("password");
    fs::write(&password, PASSWORD).unwrap();
    format!(
        r#"
        server.listen = "127.0.0.1:0"
        log.level = "trace"
        callers.mode = "open"
        [accounts.main]
        transport = {{ allow_private = true, keep_alive = false }}
        username = "{USERNAME}"
        password = {{ file = {password:?} }}
        {account}
        "#
    )
}
