//! Who may call, as it is written down: `[[principals]]`, `[keys]`, `[[issuers]]` and `[guesses]`.

use std::{collections::HashSet, net::IpAddr, num::NonZeroUsize, path::PathBuf};

use chassis::{Error, Networks, Seconds};
use http::Uri;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::Deserialize;

use super::{Config, check_name, limits, policy::check_values};
use crate::identity::key::KeyHash;

/// Largest difference of clocks that an issuer may be forgiven.
const MAX_LEEWAY: u64 = 300;

/// One of `[[principals]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalConfig {
    /// Its name, as grants, logs and services know it.
    pub name: String,
    /// Hashes of its API keys: two while a key is changed.
    #[serde(default)]
    pub api_keys: Vec<KeyHash>,
    /// Names in its client certificates: `spiffe://...` or `dns:host`.
    #[serde(default)]
    pub certificates: Vec<CertificateName>,
    /// Its names at issuers of tokens: `issuer:subject`.
    #[serde(default)]
    pub tokens: Vec<String>,
    /// Calls that it may have in flight.
    pub in_flight: Option<NonZeroUsize>,
    /// Calls a second that it may make.
    pub rate: Option<f64>,
    /// Calls that it may make at once before the rate counts.
    pub burst: Option<f64>,
}

/// A name in a client certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct CertificateName(String);

/// `[keys]`: keys that `ispbridge-gateway keys` makes and revokes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// The file. It is read again by itself when it changes, entry by entry, and may be missing at the start; when each key
    /// was used last stands in a second one of the same name and `.used`.
    pub file: PathBuf,
}

/// One of `[[issuers]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// Its name here: a token's principal is `name:subject`.
    pub name: String,
    /// What stands in `iss`.
    pub issuer: String,
    /// What may stand in `aud`; one of them must.
    pub audiences: Vec<String>,
    /// Its keys.
    pub jwks: JwksConfig,
    /// Algorithms that its keys may have; a key that names none has the first that fits it.
    #[serde(default = "usual_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the principal.
    #[serde(default = "subject")]
    pub principal_claim: String,
    /// Claims that name groups, lists or words of a text; a dot leads into an object (`realm_access.roles`).
    #[serde(default)]
    pub groups_claims: Vec<String>,
    /// How far its clock may be off.
    #[serde(default = "minute")]
    pub leeway_seconds: u64,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwksConfig {
    /// A file, read again when it changes.
    pub file: Option<PathBuf>,
    /// An address, asked again now and then.
    pub url: Option<String>,
    /// How often it is asked.
    #[serde(default = "ten_minutes")]
    pub refresh_seconds: Seconds,
    /// How long it is left alone in any case, also when a token names an unknown key.
    #[serde(default = "ten_seconds")]
    pub pause_seconds: Seconds,
    /// How long its keys are believed while it does not answer.
    #[serde(default = "day")]
    pub stale_seconds: Seconds,
}

/// `[guesses]`: wrong API keys and tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuessesConfig {
    /// How many one address (one network of 64 bits of IPv6) may send in a minute; the wrong ones beyond it are answered with
    /// RESOURCE_EXHAUSTED, right ones are taken all the same. 0 is any number.
    pub per_minute: u32,
    /// Networks whose wrong keys and tokens are not counted, e.g. that of a monitor.
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
        const FORM: &str = "an entry of certificates is \"spiffe://trust.domain/path\" or \"dns:host\"";
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
    /// The name as [`chassis::PeerIdentity`] writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks principals and issuers.
pub(super) fn check(config: &Config) -> Result<(), Error> {
    let issuers = check_issuers(&config.issuers)?;
    let (mut names, mut keys) = (HashSet::new(), HashSet::new());
    let (mut certificates, mut tokens) = (HashSet::new(), HashSet::new());
    for (index, principal) in config.principals.iter().enumerate() {
        let key = |field: &str| format!("principals[{index}].{field}");
        let twice = |field: &str, what: &str| Err(Error::config(key(field), format!("{what} that is there already")));
        check_name(&key("name"), &principal.name)?;
        limits::check_rate(&key("rate"), principal.rate)?;
        limits::check_burst(&key("burst"), principal.burst)?;
        if !names.insert(&principal.name) {
            return Err(Error::config(key("name"), "is the name of another principal"));
        }
        if !principal.api_keys.iter().all(|hash| keys.insert(hash)) {
            return twice("api_keys", "holds a key");
        }
        if !principal.certificates.iter().all(|name| certificates.insert(name)) {
            return twice("certificates", "holds a name");
        }
        if !principal.tokens.iter().all(|name| tokens.insert(name)) {
            return twice("tokens", "holds a name");
        }
        check_values(&key("tokens"), &principal.tokens, &issuers)?;
    }
    Ok(())
}

fn check_issuers(issuers: &[IssuerConfig]) -> Result<HashSet<&str>, Error> {
    let (mut names, mut texts) = (HashSet::new(), HashSet::new());
    for (index, issuer) in issuers.iter().enumerate() {
        let key = |field: &str| format!("issuers[{index}].{field}");
        check_name(&key("name"), &issuer.name)?;
        if !names.insert(issuer.name.as_str()) {
            return Err(Error::config(key("name"), "is the name of another issuer"));
        }
        if issuer.issuer.is_empty() || !texts.insert(issuer.issuer.as_str()) {
            return Err(Error::config(key("issuer"), "is empty, or that of another issuer"));
        }
        if issuer.audiences.is_empty() || issuer.audiences.iter().any(String::is_empty) {
            return Err(Error::config(key("audiences"), "names no audience, or an empty one"));
        }
        let shared = issuer.algorithms.iter().any(|algorithm| algorithm.family() == AlgorithmFamily::Hmac);
        if issuer.algorithms.is_empty() || shared {
            return Err(Error::config(key("algorithms"), "names no algorithm, or one with a shared secret"));
        }
        if issuer.leeway_seconds > MAX_LEEWAY {
            return Err(Error::config(key("leeway_seconds"), format!("is at most {MAX_LEEWAY}")));
        }
        check_jwks(&key("jwks"), &issuer.jwks)?;
    }
    Ok(names)
}

fn check_jwks(key: &str, jwks: &JwksConfig) -> Result<(), Error> {
    let url = match (&jwks.file, &jwks.url) {
        (Some(_), None) => return Ok(()),
        (None, Some(url)) => url.parse::<Uri>().ok(),
        _ => return Err(Error::config(key, "has exactly one of file and url")),
    };
    let safe = url.is_some_and(|url| {
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let here = host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        let bare = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        bare && (url.scheme_str() == Some("https") || url.scheme_str() == Some("http") && here)
    });
    match safe {
        true => Ok(()),
        false => {
            Err(Error::config(format!("{key}.url"), "is an https address without a login (http on loopback only)"))
        }
    }
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
