//! The gateway's configuration: one provider that is called among many, one caller among many.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ispbridge_gateway::KeyHash;
use toml::{Table, Value, toml};

use super::{
    Size,
    token::{AUDIENCE, ISSUER, SUBJECT, Token},
};
use crate::{Failure, wiring::SAMPLING};

/// Calls in flight that no limit stops.
const PLENTY: i64 = 1000;

/// Writes the file, and the key set beside it.
pub(super) fn config(
    folder: &Path,
    listen: SocketAddr,
    backend: SocketAddr,
    collector: SocketAddr,
    token: &Token,
    size: Size,
) -> Result<PathBuf, Failure> {
    let file = |name: &str, text: &str| -> Result<Value, Failure> {
        let path = folder.join(format!("{name}-{}-{}", size.principals, size.providers));
        fs::write(&path, text)?;
        Ok(Value::from(path.display().to_string()))
    };
    let root = file("root", "a root that only this benchmark uses")?;
    let jwks = file("jwks", &token.keys.to_string())?;
    let providers: Vec<Table> = (0..size.providers).map(|number| route(number, backend)).collect();
    let principals: Vec<Table> = (0..size.principals).map(principal).collect();
    let grants: Vec<Table> = (0..size.principals).map(grant).collect();
    let (listen, collector) = (listen.to_string(), format!("http://{collector}"));
    let table = toml! {
        // Whoever starts it asks for the health of services without a key.
        public_reflection = true
        routes = providers
        principals = principals
        grants = grants

        [server]
        listen = listen

        [telemetry]
        otlp_endpoint = collector
        sampling_ratio = SAMPLING

        [signing]
        id = "bench"
        secret = { file = root }

        [[issuers]]
        name = "issuer"
        issuer = ISSUER
        audiences = [AUDIENCE]
        jwks = { file = jwks }
        algorithms = ["RS256"]
    };
    let path = folder.join(format!("gateway-{}-{}.toml", size.principals, size.providers));
    fs::write(&path, toml::to_string(&table)?)?;
    Ok(path)
}

/// The first provider is the one that is called.
fn route(number: usize, backend: SocketAddr) -> Table {
    let provider = if number == 0 { "aex".to_owned() } else { format!("provider-{number}") };
    let instance = format!("http://{backend}");
    toml! {
        provider = provider
        instances = [instance]
    }
}

/// The first principal is the one that calls.
fn principal(number: usize) -> Table {
    let key = KeyHash::of(&format!("ispb_bench_{number}")).to_string();
    let name = name_of(number);
    let token = format!("issuer:{name}");
    toml! {
        name = name
        api_keys = [key]
        tokens = [token]
        in_flight = PLENTY
    }
}

fn grant(number: usize) -> Table {
    let name = name_of(number);
    toml! {
        principals = [name]
        methods = ["reads", "ispbridge.aex.v1.PremiseService/*"]
        accounts = ["aex/main"]
    }
}

fn name_of(number: usize) -> String {
    if number == 0 { SUBJECT.to_owned() } else { format!("principal-{number}") }
}
