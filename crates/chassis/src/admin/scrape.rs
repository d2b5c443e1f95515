//! The process' numbers, in the format that the scraper prefers.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::process::Process;

const OPEN_METRICS: &str = "application/openmetrics-text";

/// How the older text may be asked for, the most telling way first.
const TEXT: [&str; 3] = ["text/plain", "text/*", "*/*"];

pub(super) async fn metrics(State(process): State<Process>, headers: HeaderMap) -> Response {
    let telemetry = process.telemetry();
    if prefers_open_metrics(&headers) {
        return ([(header::CONTENT_TYPE, telemetry::OPEN_METRICS)], telemetry.open_metrics()).into_response();
    }
    match telemetry.scrape() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Whether the header `accept` names OpenMetrics and does not like the older text better.
fn prefers_open_metrics(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted: Vec<_> = values.flat_map(|value| value.split(',')).filter_map(accepted).collect();
    let quality = |name: &str| {
        let named = accepted.iter().filter(|(accepted, _)| accepted.eq_ignore_ascii_case(name));
        named.map(|(_, quality)| *quality).reduce(f32::max)
    };
    let open = quality(OPEN_METRICS).unwrap_or_default();
    let text = TEXT.into_iter().find_map(quality).unwrap_or_default();
    open > 0.0 && open >= text
}

/// The name and the quality of what is accepted; nothing if it is a version of OpenMetrics that is not spoken here.
fn accepted(range: &str) -> Option<(&str, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?;
    let mut quality = 1.0;
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        match key {
            "q" => quality = value.parse().ok()?,
            "version" if name.eq_ignore_ascii_case(OPEN_METRICS) && value != "1.0.0" => return None,
            _ => {}
        }
    }
    Some((name, quality))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn prefers(accept: &str) -> bool {
        prefers_open_metrics(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_str(accept).unwrap())]))
    }

    #[test]
    fn scrapers_get_what_they_prefer() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                            application/openmetrics-text;version=0.0.1;q=0.4,\
                            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for accept in
            [prometheus_2, prometheus_3, OPEN_METRICS, "Application/OpenMetrics-Text; version=1.0.0, text/plain"]
        {
            assert!(prefers(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/plain, application/openmetrics-text;q=0.9",
            "*/*, application/openmetrics-text;q=0.9",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=much",
        ] {
            assert!(!prefers(accept), "{accept}");
        }
        assert!(!prefers_open_metrics(&HeaderMap::new()));
    }
}
