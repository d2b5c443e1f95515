//! The configuration of callers: `[[principals]]`, `[keys]`, `[[issuers]]` and `[guesses]`.

use std::{collections::HashSet, hash::Hash, net::IpAddr, num::NonZeroUsize, path::PathBuf};

use chassis::Settings;
use config::{Findings, Networks, Seconds};
use http::Uri;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, check_name, limits, policy::check_values};
use crate::key::KeyHash;

/// Largest clock skew of an issuer that can be tolerated.
const MAX_LEEWAY: u64 = 300;

/// One of `[[principals]]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrincipalConfig {
    /// Its name in grants, logs and services.
    pub name: String,
    /// Hashes of its API keys; two during a rotation.
    #[serde(default)]
    pub api_keys: Vec<KeyHash>,
    /// Names in its client certificates: `spiffe://...` or `dns:host`.
    #[serde(default)]
    pub certificates: Vec<CertificateName>,
    /// The subjects of its tokens: `issuer:subject`.
    #[serde(default)]
    pub tokens: Vec<String>,
    /// Maximum calls in flight.
    pub in_flight: Option<NonZeroUsize>,
    /// Maximum calls per second.
    pub rate: Option<f64>,
    /// Calls that it may make at once before the rate applies.
    pub burst: Option<f64>,
}

/// A name in a client certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct CertificateName(String);

/// `[keys]`: keys that `ispbridge-gateway keys` creates and revokes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// The key file. It is reloaded when it changes, entry by entry, and may be missing at startup. The last use of each key is
    /// written to a second file with the same name and `.used`.
    pub file: PathBuf,
}

/// One of `[[issuers]]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// Its name in this configuration: a token's principal is `name:subject`.
    pub name: String,
    /// The value of `iss`.
    pub issuer: String,
    /// Accepted values of `aud`; a token must have one of them.
    pub audiences: Vec<String>,
    /// Its keys.
    pub jwks: JwksConfig,
    /// Algorithms of its keys; a key without `alg` has the first that fits.
    #[serde(default = "usual_algorithms")]
    #[schemars(with = "Vec<String>")]
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the principal.
    #[serde(default = "subject")]
    pub principal_claim: String,
    /// Claims with groups: lists, or texts of words; a dot leads into an object (`realm_access.roles`).
    #[serde(default)]
    pub groups_claims: Vec<String>,
    /// Tolerated clock skew.
    #[serde(default = "minute")]
    pub leeway_seconds: u64,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwksConfig {
    /// A file, reloaded when it changes.
    pub file: Option<PathBuf>,
    /// A URL, fetched periodically.
    pub url: Option<String>,
    /// How often the URL is fetched.
    #[serde(default = "ten_minutes")]
    pub refresh_seconds: Seconds,
    /// Least time between two fetches, even if a token names an unknown key.
    #[serde(default = "ten_seconds")]
    pub pause_seconds: Seconds,
    /// How long its keys stay valid while it does not answer.
    #[serde(default = "day")]
    pub stale_seconds: Seconds,
}

impl JwksConfig {
    /// Whether the URL uses TLS.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.starts_with("https:"))
    }
}

/// `[guesses]`: wrong API keys and tokens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GuessesConfig {
    /// How many one address (one /64 network of IPv6) may send per minute. Further wrong ones are answered with
    /// RESOURCE_EXHAUSTED; correct ones are always accepted. 0 means no limit.
    pub per_minute: u32,
    /// Networks whose wrong keys and tokens are not counted, e.g. that of a monitoring system.
    pub exempt: Networks,
}

impl GuessesConfig {
    /// Whether wrong credentials of an address are counted.
    pub(crate) fn counts(&self, address: IpAddr) -> bool {
        self.per_minute > 0 && !self.exempt.contains(address)
    }
}

impl Default for GuessesConfig {
    fn default() -> Self {
        Self { per_minute: 10, exempt: Networks::default() }
    }
}

impl TryFrom<String> for CertificateName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const FORM: &str = "must be \"spiffe://trust.domain/path\" or \"dns:host\"";
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains('*');
        let whole = match (text.strip_prefix("spiffe://"), text.strip_prefix("dns:")) {
            (Some(rest), _) => !rest.is_empty() && !rest.starts_with('/'),
            (_, Some(host)) => !host.is_empty(),
            _ => false,
        };
        let host = text.starts_with("dns:");
        (plain && whole).then(|| Self(if host { text.to_ascii_lowercase() } else { text })).ok_or(FORM)
    }
}

impl CertificateName {
    /// The name as [`serving::PeerIdentity`] writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks principals and issuers.
pub(super) fn check(config: &Config, settings: &Settings, findings: &mut Findings) {
    check_issuers(&config.issuers, findings);
    let (mut names, mut keys) = (HashSet::new(), HashSet::new());
    let (mut certificates, mut tokens) = (HashSet::new(), HashSet::new());
    for (index, principal) in config.principals.iter().enumerate() {
        let key = |field: &str| format!("principals[{index}].{field}");
        check_name(&key("name"), &principal.name, findings);
        limits::check_rate(&key("rate"), principal.rate, findings);
        limits::check_burst(&key("burst"), principal.burst, findings);
        if !names.insert(&principal.name) {
            findings.mistake(key("name"), "must not be the name of another principal");
        }
        check_once(&key("api_keys"), &principal.api_keys, &mut keys, findings);
        check_once(&key("certificates"), &principal.certificates, &mut certificates, findings);
        check_once(&key("tokens"), &principal.tokens, &mut tokens, findings);
        check_values(config, &key("tokens"), &principal.tokens, findings);
        check_reachable(config, settings, &key, principal, findings);
    }
}

/// Each key, token subject and certificate name belongs to one principal.
fn check_once<'a, T: Eq + Hash>(key: &str, entries: &'a [T], seen: &mut HashSet<&'a T>, findings: &mut Findings) {
    for (index, entry) in entries.iter().enumerate() {
        if !seen.insert(entry) {
            findings.mistake(format!("{key}[{index}]"), "must not be one that stands further above already");
        }
    }
}

/// Warns of credentials that no caller can send.
fn check_reachable(
    config: &Config,
    settings: &Settings,
    key: &dyn Fn(&str) -> String,
    principal: &PrincipalConfig,
    findings: &mut Findings,
) {
    let asks = settings.server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    if !principal.certificates.is_empty() && !asks && findings.is_whole("server.tls") {
        findings.warning(
            key("certificates"),
            "has no effect: no server.tls.client_ca says whose certificates are believed",
        );
    }
    let nothing = principal.api_keys.is_empty() && principal.certificates.is_empty() && principal.tokens.is_empty();
    if nothing && config.keys.is_none() && findings.is_whole("keys") {
        findings.warning(
            key("name"),
            "has no effect: the principal has no key, certificate or token, and there is no [keys] file",
        );
    }
}

fn check_issuers(issuers: &[IssuerConfig], findings: &mut Findings) {
    let (mut names, mut texts) = (HashSet::new(), HashSet::new());
    for (index, issuer) in issuers.iter().enumerate() {
        let key = |field: &str| format!("issuers[{index}].{field}");
        check_name(&key("name"), &issuer.name, findings);
        if !names.insert(issuer.name.as_str()) {
            findings.mistake(key("name"), "must not be the name of another issuer");
        }
        if issuer.issuer.is_empty() || !texts.insert(issuer.issuer.as_str()) {
            findings.mistake(key("issuer"), "must not be empty, or that of another issuer");
        }
        if issuer.audiences.is_empty() || issuer.audiences.iter().any(String::is_empty) {
            findings.mistake(key("audiences"), "must name an audience, and no empty one");
        }
        let shared = issuer.algorithms.iter().any(|algorithm| algorithm.family() == AlgorithmFamily::Hmac);
        if issuer.algorithms.is_empty() || shared {
            findings.mistake(key("algorithms"), "must name an algorithm, and none with a shared secret (HS...)");
        }
        if issuer.principal_claim.is_empty() {
            findings.mistake(key("principal_claim"), "must not be empty");
        }
        if issuer.leeway_seconds > MAX_LEEWAY {
            findings.mistake(key("leeway_seconds"), format!("must be at most {MAX_LEEWAY}"));
        }
        check_jwks(&key("jwks"), &issuer.jwks, findings);
    }
}

fn check_jwks(key: &str, jwks: &JwksConfig, findings: &mut Findings) {
    let url = match (&jwks.file, &jwks.url) {
        (Some(_), None) => return,
        (None, Some(url)) => url.parse::<Uri>().ok(),
        _ => return findings.mistake(key, "must have file or url, and not both"),
    };
    if !url.is_some_and(|url| is_safe(&url)) {
        findings.mistake(format!("{key}.url"), "must be an https address without a login (http on loopback only)");
    } else if jwks.speaks_tls() && !config::has_authorities() {
        findings.mistake(format!("{key}.url"), config::NO_AUTHORITIES);
    }
    if jwks.refresh_seconds.0.is_zero() {
        findings.mistake(format!("{key}.refresh_seconds"), "must be more than 0");
    }
}

/// Whether no third party can replace the issuer's keys on the way.
fn is_safe(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    let is_bare = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    is_bare && (url.scheme_str() == Some("https") || url.scheme_str() == Some("http") && is_here)
}

fn usual_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]
}

fn subject() -> String {
    "sub".to_owned()
}

fn minute() -> u64 {
    60
}

fn ten_seconds() -> Seconds {
    Seconds::whole(10)
}

fn ten_minutes() -> Seconds {
    Seconds::whole(600)
}

fn day() -> Seconds {
    Seconds::whole(24 * 60 * 60)
}
