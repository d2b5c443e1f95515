//! A reply as it came, and what its HTTP part alone says.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use bumpalo::Bump;
use http::{HeaderMap, StatusCode, header};

use crate::{
    fault::{Fault, Kind, Outcome},
    xml::charset,
};

/// The key of an account that says how large a reply may be.
pub(crate) const MAX_REPLY_BYTES: &str = "transport.max_reply_bytes";

/// The key of an account that says how large a file may be.
pub(crate) const MAX_DOWNLOAD_BYTES: &str = "transport.max_download_bytes";

pub(super) fn larger_than(most: usize) -> Fault {
    Fault::too_large(MAX_REPLY_BYTES, format_args!("is larger than {most} bytes"))
}

/// A whole reply of an upstream, decoded and within its size.
#[derive(Debug)]
pub struct HttpReply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body after decompression.
    pub body: Vec<u8>,
}

impl HttpReply {
    /// A header as text, empty when it is absent or not text.
    #[must_use]
    pub fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The body as text by its charset, see [`charset::decode`]; it lives as long as the reply's tree.
    #[must_use]
    pub fn text_in<'t>(&'t self, arena: &'t Bump) -> &'t str {
        match charset::decode(&self.body, self.header(header::CONTENT_TYPE)) {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => arena.alloc_str(&text),
        }
    }

    /// Whether the reply says that it is XML, and no web page.
    pub(crate) fn is_xml(&self) -> bool {
        let kind = self.header(header::CONTENT_TYPE).split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        kind.ends_with("/xml") || kind.ends_with("+xml") && kind != "application/xhtml+xml"
    }

    /// What `Retry-After` asks for: seconds or a date; anything else is ignored.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header(header::RETRY_AFTER).trim();
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(Duration::from_secs);
        }
        let moment = httpdate::parse_http_date(text).ok()?;
        Some(moment.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// The fault that the status alone says, for replies whose body says nothing better: none for 2xx.
    ///
    /// A login page in place of an answer means that our credentials or session are not accepted; a
    /// redirect is not followed, and names only where it points.
    #[must_use]
    pub fn status_fault(&self) -> Option<Fault> {
        let status = self.status.as_u16();
        let fault = match status {
            _ if self.is_login_page() => Fault::upstream_auth("the upstream answered with a login page"),
            200..=299 => return None,
            300..=399 if self.leads_to_login() => Fault::upstream_auth("redirected to the login page"),
            300..=399 => self.redirected(),
            401 | 403 | 407 => Fault::upstream_auth(self.status.canonical_reason().unwrap_or("")),
            404 | 410 => Fault::rejected(Kind::NotFound, "NOT_FOUND", "not found"),
            408 => Fault::server("request timeout"),
            409 => Fault::rejected(Kind::FailedPrecondition, "UPSTREAM_CONFLICT", "conflict"),
            429 => Fault::rejected(Kind::ResourceExhausted, "UPSTREAM_RATE_LIMIT", "too many requests"),
            400..=499 => Fault::rejected(Kind::FailedPrecondition, "UPSTREAM_REFUSED", "the request was refused"),
            _ => Fault::server(self.status.canonical_reason().unwrap_or("")),
        };
        Some(fault.with_http_status(status).with_retry_after(self.retry_after()))
    }

    /// As [`Self::status_fault`], for replies that do not speak the upstream's own wire: nothing found is then the
    /// account's address, never what was asked for.
    #[must_use]
    pub fn door_fault(&self) -> Option<Fault> {
        let fault = self.status_fault()?;
        if fault.kind() != Kind::NotFound {
            return Some(fault);
        }
        let message = "nothing answers at the account's address; mend the account's base_url";
        Some(fault.reclassified(Kind::FailedPrecondition, "UPSTREAM_ADDRESS", message))
    }

    /// Whether the head is that of a file: a success, and either a disposition or a media type that no API answers with.
    #[must_use]
    pub fn is_file(&self) -> bool {
        let kind = self.header(header::CONTENT_TYPE).split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        let is_answer = matches!(kind.as_str(), "text/html" | "application/xhtml+xml" | "application/json")
            || ["+json", "/xml", "+xml"].iter().any(|end| kind.ends_with(end));
        let disposition = self.headers.contains_key(header::CONTENT_DISPOSITION);
        self.status.is_success() && (disposition || !is_answer)
    }

    fn redirected(&self) -> Fault {
        let target = url::Url::parse(self.header(header::LOCATION)).ok();
        let host = target.as_ref().and_then(url::Url::host_str).unwrap_or("the same host").to_owned();
        Fault::new(
            Kind::FailedPrecondition,
            Outcome::Rejected,
            "UPSTREAM_REDIRECT",
            format!("the upstream redirects to {host}; redirects are not followed, mend the account's base_url"),
        )
    }

    fn is_login_page(&self) -> bool {
        let html = self.header(header::CONTENT_TYPE).to_ascii_lowercase().starts_with("text/html");
        let head = self.body.get(..self.body.len().min(64 << 10)).unwrap_or_default();
        html && String::from_utf8_lossy(head).to_ascii_lowercase().replace('\'', "\"").contains("type=\"password\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> HttpReply {
        let headers = headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        HttpReply { status: StatusCode::from_u16(status).unwrap(), headers: headers.collect(), body: body.into() }
    }

    #[test]
    fn statuses_become_faults() {
        for (status, kind, outcome) in [
            (302, Kind::FailedPrecondition, Outcome::Rejected),
            (401, Kind::UpstreamAuth, Outcome::Rejected),
            (404, Kind::NotFound, Outcome::Rejected),
            (429, Kind::ResourceExhausted, Outcome::Rejected),
            (500, Kind::Unavailable, Outcome::Unknown),
            (503, Kind::Unavailable, Outcome::Unknown),
        ] {
            let fault = reply(status, &[], "").status_fault().unwrap();
            assert_eq!((fault.kind(), fault.outcome(), fault.http_status()), (kind, outcome, Some(status)));
        }
        assert!(reply(204, &[], "").status_fault().is_none());
    }

    #[test]
    fn nothing_at_the_door_is_not_a_missing_record() {
        let fault = reply(404, &[], "<html/>").door_fault().unwrap();
        assert_eq!((fault.kind(), fault.reason()), (Kind::FailedPrecondition, "UPSTREAM_ADDRESS"));
        assert_eq!(reply(503, &[], "").door_fault().unwrap().kind(), Kind::Unavailable);
        assert!(reply(200, &[], "").door_fault().is_none());
    }

    #[test]
    fn a_login_page_is_about_our_credentials() {
        let page = "<html><form><input TYPE='password'></form></html>";
        let fault = reply(200, &[("content-type", "text/HTML; charset=utf-8")], page).status_fault().unwrap();
        assert_eq!(fault.kind(), Kind::UpstreamAuth);
        assert!(reply(200, &[("content-type", "text/html")], "<html>hello</html>").status_fault().is_none());
    }

    #[test]
    fn a_redirect_to_a_login_page_is_too() {
        for target in ["/auth/login", "https://upstream.example/auth/login?next=/customers"] {
            let fault = reply(302, &[("location", target)], "<html/>").status_fault().unwrap();
            assert_eq!((fault.kind(), fault.outcome()), (Kind::UpstreamAuth, Outcome::Rejected), "{target}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(reply(503, &[("retry-after", "7")], "").retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(
            reply(503, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], "").retry_after(),
            Some(Duration::ZERO)
        );
        for garbage in ["", "-1", "+7", "soon", "1.5"] {
            assert_eq!(reply(503, &[("retry-after", garbage)], "").retry_after(), None, "{garbage:?}");
        }
    }

    #[test]
    fn a_redirect_names_the_host_only() {
        let fault = reply(307, &[("location", "https://evil.example/x?token=SECRET")], "").status_fault().unwrap();
        assert!(fault.message().contains("evil.example") && !fault.message().contains("SECRET"));
    }
}
