//! The page itself: one file, and a policy under which nothing else is loaded or run.

use aws_lc_rs::digest;
use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};

const TEXT: &str = include_str!("page.html");

/// The page and what a browser may do with it.
#[derive(Debug)]
pub(super) struct StatusPage {
    policy: HeaderValue,
}

impl StatusPage {
    /// Allows the page's own style and script by their hashes, and nothing else.
    pub(super) fn new() -> Self {
        let (style, script) = (hash("<style>", "</style>"), hash("<script>", "</script>"));
        let policy = format!(
            "default-src 'none'; style-src '{style}'; script-src '{script}'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Self { policy }
    }

    /// The answer to `GET /`.
    pub(super) fn answer(&self) -> Response {
        let headers = [
            (header::CONTENT_SECURITY_POLICY, self.policy.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        (headers, Html(TEXT)).into_response()
    }
}

/// The source expression of what stands between two tags.
fn hash(begin: &str, end: &str) -> String {
    let rest = TEXT.split_once(begin).map_or("", |(_, rest)| rest);
    let content = rest.split_once(end).map_or("", |(content, _)| content);
    let hash = digest::digest(&digest::SHA256, content.as_bytes());
    format!("sha256-{}", BASE64_STANDARD.encode(hash))
}
