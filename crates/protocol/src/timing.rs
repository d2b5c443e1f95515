//! Where the time of a call went: `x-ispbridge-timing: gateway;dur=12.345,service;dur=11.8,upstream;dur=11.002`.
//!
//! The form is that of Server-Timing (W3C): milliseconds, each part holding the ones behind it. A service says its own
//! time and how much of it was spent waiting for the upstream; a proxy puts its own in front.

use std::{fmt::Write, time::Duration};

use http::{HeaderMap, HeaderValue};

use crate::headers::TIMING;

/// What is known of the parts behind this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// The service's time.
    pub service: Option<Duration>,
    /// How much of that was spent waiting for the upstream.
    pub upstream: Option<Duration>,
}

impl Timing {
    /// Reads what a service says in headers or trailers; what cannot be read is absent.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        let Some(text) = headers.get(TIMING).and_then(|value| value.to_str().ok()) else {
            return Self::default();
        };
        let part = |name: &str| text.split(',').find_map(|part| duration(part.trim().strip_prefix(name)?));
        Self { service: part("service"), upstream: part("upstream") }
    }

    /// Writes the parts, this process' own in front.
    pub fn write(self, own: &str, took: Duration, headers: &mut HeaderMap) {
        let mut text = String::with_capacity(72);
        let mut part = |name: &str, time: Duration| {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing into a String does not fail.
            let _ = write!(text, "{comma}{name};dur={}.{:03}", time.as_millis(), time.as_micros() % 1000);
        };
        part(own, took);
        self.service.into_iter().for_each(|time| part("service", time));
        self.upstream.into_iter().for_each(|time| part("upstream", time));
        if let Ok(mut value) = HeaderValue::try_from(text) {
            // No secret, but different in each call: it would push other headers out of HPACK's table.
            value.set_sensitive(true);
            headers.insert(TIMING, value);
        }
    }
}

/// `;dur=12.345` in milliseconds.
fn duration(text: &str) -> Option<Duration> {
    let millis: f64 = text.strip_prefix(";dur=")?.parse().ok()?;
    Duration::try_from_secs_f64(millis / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Timing {
        Timing::read(&HeaderMap::from_iter([(TIMING, HeaderValue::from_static(text))]))
    }

    #[test]
    fn what_is_written_is_read() {
        let (service, upstream) = (Duration::from_micros(12_345), Duration::from_micros(7));
        let mut headers = HeaderMap::new();
        Timing { service: Some(service), upstream: Some(upstream) }.write(
            "gateway",
            Duration::from_secs(1),
            &mut headers,
        );
        assert_eq!(headers[&TIMING], "gateway;dur=1000.000,service;dur=12.345,upstream;dur=0.007");
        assert_eq!(Timing::read(&headers), Timing { service: Some(service), upstream: Some(upstream) });
    }

    #[test]
    fn what_is_no_timing_is_absent() {
        for text in
            ["", "service", "service;dur=", "service;dur=-1", "service;dur=NaN", "service;dur=1e99", "other;dur=1"]
        {
            assert_eq!(read(text), Timing::default(), "{text}");
        }
        assert_eq!(read("upstream;dur=2").upstream, Some(Duration::from_millis(2)));
    }
}
