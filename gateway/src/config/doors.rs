//! `[doors]`: protocols other than gRPC.

use config::{Findings, Seconds};
use http::Uri;
use schemars::JsonSchema;
use serde::Deserialize;

/// `[doors]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DoorsConfig {
    /// Whether to accept the Connect protocol: a POST of JSON or protobuf per call.
    pub connect: bool,
    /// Whether to accept gRPC-Web.
    pub grpc_web: bool,
    /// Whether to serve `GET /openapi.json`, with the methods that the caller may call.
    pub openapi: bool,
    /// Web pages that may call.
    pub cors: CorsConfig,
}

/// `[doors.cors]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CorsConfig {
    /// Origins of web pages that may call, e.g. `https://app.example.com`; `*` means every page, without the
    /// browser's own credentials (cookies, client certificates).
    pub origins: Vec<Origin>,
    /// How long a browser may cache the answer.
    pub max_age_seconds: Seconds,
}

/// The origin of a web page: scheme, host and port, or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Origin(String);

impl Default for DoorsConfig {
    fn default() -> Self {
        Self { connect: true, grpc_web: true, openapi: true, cors: CorsConfig::default() }
    }
}

impl Default for CorsConfig {
    fn default() -> Self {
        Self { origins: Vec::new(), max_age_seconds: Seconds::whole(600) }
    }
}

impl DoorsConfig {
    /// Whether any of them is accepted.
    pub(crate) fn any(&self) -> bool {
        self.connect || self.grpc_web || self.openapi
    }

    /// Checks what one entry alone cannot show.
    pub(crate) fn check(&self, findings: &mut Findings) {
        let origins = &self.cors.origins;
        let all = origins.iter().any(|origin| origin.as_str() == "*");
        if all && origins.len() > 1 {
            findings
                .mistake("doors.cors.origins", "must be [\"*\"] alone, which names every page, or origins without it");
        }
        if !origins.is_empty() && !self.any() {
            findings.warning("doors.cors.origins", "has no effect: every door is closed");
        }
    }
}

impl Origin {
    /// The text that a browser sends, or `*`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let form = || "must be \"https://host\", \"https://host:port\" or \"*\", in lower case".to_owned();
        if text == "*" {
            return Ok(Self(text));
        }
        let uri: Uri = text.parse().map_err(|_| form())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().ok_or_else(form)?.as_str();
        // As a browser sends it, which is compared byte by byte.
        let exact = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
        let bare = !authority.contains('@') && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if web && bare && text == exact { Ok(Self(text)) } else { Err(form()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_sends_is_an_origin() {
        let read = |text: &str| Origin::try_from(text.to_owned()).is_ok();
        for text in ["https://app.example.com", "http://localhost:5173", "http://[::1]:80", "*"] {
            assert!(read(text), "{text}");
        }
        for text in ["", "null", "app.example.com", "https://a/", "https://a/b", "https://A", "ftp://a", "https://u@a"]
        {
            assert!(!read(text), "{text}");
        }
    }

    #[test]
    fn every_page_and_one_page_contradict_each_other() {
        let config: DoorsConfig = toml::from_str("cors.origins = [\"*\", \"https://a\"]").unwrap();
        let mut findings = Findings::default();
        config.check(&mut findings);
        assert!(findings.into_error().to_string().contains("doors.cors.origins: must be "));
    }
}
