//! What a status means for the instance that returned it, and for a retry.

use std::time::Duration;

use http::HeaderMap;
use protocol::headers::GRPC_RETRY_PUSHBACK;
use protocol::{
    domain::{self, CALLER},
    told,
};
use tonic::Code;
use tonic_types::StatusExt;

/// Whether the instance is to blame, and another one might answer differently.
pub(crate) fn blames_instance(code: Code, headers: &HeaderMap, provider: &str) -> bool {
    match code {
        // The process itself failed; it did not call the request malformed.
        Code::Internal | Code::Unknown | Code::Unavailable => {
            domain(headers).is_none_or(|domain| !domain::is_of(&domain, provider) && domain != CALLER)
        }
        // A process that reports this in time is alive; what it waited for was not.
        Code::DeadlineExceeded => domain(headers).is_none(),
        _ => false,
    }
}

/// When a service asks for a retry; `None` if its answer is final.
pub(crate) fn invitation(headers: &HeaderMap) -> Option<Duration> {
    let code = told::code(headers)?;
    let pushback: i64 = headers.get(GRPC_RETRY_PUSHBACK)?.to_str().ok()?.parse().ok()?;
    let is_passing = matches!(code, Code::Unavailable | Code::ResourceExhausted);
    // A negative number means never.
    let after = u64::try_from(pushback).ok().filter(|_| is_passing)?;
    domain(headers).is_none().then(|| Duration::from_millis(after))
}

/// The domain of the `ErrorInfo`, if it is one of ours.
fn domain(headers: &HeaderMap) -> Option<String> {
    let domain = told::status(headers)?.get_details_error_info()?.domain;
    domain::is_ours(&domain).then_some(domain)
}

#[cfg(test)]
mod tests {
    use tonic::Status;
    use tonic_types::ErrorDetails;

    use super::*;

    fn headers(code: Code, domain: Option<&str>) -> HeaderMap {
        let status = match domain {
            Some(domain) => Status::with_error_details(code, "text", ErrorDetails::with_error_info("R", domain, [])),
            None => Status::new(code, "text"),
        };
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        headers
    }

    #[test]
    fn what_upstream_and_caller_did_is_never_the_instances_fault() {
        for code in (0..17).map(Code::from_i32) {
            for domain in ["aex.ispbridge", CALLER] {
                assert!(!blames_instance(code, &headers(code, Some(domain)), "aex"), "{code:?} {domain}");
            }
        }
        for code in [Code::Unavailable, Code::Internal, Code::Unknown] {
            for domain in [None, Some("service.ispbridge"), Some("example.com")] {
                assert!(blames_instance(code, &headers(code, domain), "aex"), "{code:?} {domain:?}");
            }
        }
        assert!(blames_instance(Code::DeadlineExceeded, &headers(Code::DeadlineExceeded, None), "aex"));
        let told = headers(Code::DeadlineExceeded, Some("service.ispbridge"));
        assert!(!blames_instance(Code::DeadlineExceeded, &told, "aex"));
        assert!(!blames_instance(Code::NotFound, &headers(Code::NotFound, None), "aex"));
    }

    #[test]
    fn only_a_passing_status_without_a_word_of_ours_invites() {
        let with = |code, domain, pushback: &'static str| {
            let mut headers = headers(code, domain);
            headers.insert(GRPC_RETRY_PUSHBACK, http::HeaderValue::from_static(pushback));
            invitation(&headers)
        };
        assert_eq!(with(Code::Unavailable, None, "20"), Some(Duration::from_millis(20)));
        assert_eq!(with(Code::Unavailable, None, "-1"), None);
        assert_eq!(with(Code::Unavailable, None, "soon"), None);
        assert_eq!(with(Code::Unavailable, Some("aex.ispbridge"), "20"), None);
        assert_eq!(with(Code::Internal, None, "20"), None);
        assert_eq!(invitation(&headers(Code::Unavailable, None)), None);
    }
}
