//! Waits until a running gateway has loaded the key file.

use std::{
    net::SocketAddr,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use config::Content;
use serde::Deserialize;

use super::{fetch, site::CommandConfig};

/// How long a gateway may take beyond its reload interval.
const GRACE: Duration = Duration::from_secs(3);
/// Polling interval.
const PAUSE: Duration = Duration::from_millis(200);

/// Of `/config`.
#[derive(Debug, Deserialize)]
struct ConfigReply {
    #[serde(default)]
    sources: Vec<SourceStatus>,
}

#[derive(Debug, Deserialize)]
struct SourceStatus {
    name: String,
    sha256: Option<String>,
    last_error: Option<LastError>,
    #[serde(default)]
    problems: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct LastError {
    error: String,
}

/// Waits until the gateway has loaded the file; the error says why it has not, or why that is unknown.
/// `id` is a key that must be accepted then.
pub(super) fn wait(file: &Path, site: Option<&CommandConfig>, id: Option<&str>) -> Result<String, String> {
    const LOOK: &str =
        "a gateway takes it within its server.reload_seconds: its admin port shows that in /config (sources)";
    let Some((site, admin)) = site.and_then(|site| Some((site, site.admin()?))) else {
        return Ok(format!("not asked (no admin.listen is known); {LOOK}"));
    };
    if site.reloads_every().is_zero() {
        return Ok("not asked (server.reload_seconds is 0); a gateway takes it on SIGHUP".to_owned());
    }
    let end = Instant::now() + site.reloads_every() + GRACE;
    loop {
        let source = match ask(admin) {
            Ok(source) => source,
            Err(error) => return Ok(format!("not known ({error}); a gateway that starts takes it")),
        };
        if source.sha256.is_some() && source.sha256 == Content::of(file).sha256() {
            return taken(&source, admin, id);
        }
        if Instant::now() >= end {
            let why = source.last_error.map_or_else(String::new, |refusal| format!(": {}", refusal.error));
            return Err(format!("NOT TAKEN by the gateway at {admin}{why}"));
        }
        thread::sleep(PAUSE);
    }
}

fn taken(source: &SourceStatus, admin: SocketAddr, id: Option<&str>) -> Result<String, String> {
    let named = id.map(|id| format!("id {id})"));
    let problem = named.and_then(|id| source.problems.iter().find(|problem| problem.contains(&id)));
    match problem {
        Some(problem) => Err(format!("REFUSED by the gateway at {admin}: {problem}")),
        None => Ok(format!("taken by the gateway at {admin}")),
    }
}

fn ask(admin: SocketAddr) -> Result<SourceStatus, String> {
    let (status, body) = fetch::get(&format!("http://{admin}/config"), &fetch::FetchOptions::admin())?;
    let answer: Option<ConfigReply> = serde_json::from_str(&body).ok();
    let source = answer.and_then(|answer| answer.sources.into_iter().find(|source| source.name == "keys"));
    source.ok_or_else(|| format!("{admin} answers with HTTP {status} and tells nothing of a file of keys"))
}
