//! What a failed transport says of the request.

use std::{error::Error, io};

use rustls::AlertDescription;

use crate::fault::{Fault, Kind, Outcome};

pub(super) fn late(by_deadline: bool, outcome: Outcome) -> Fault {
    match (by_deadline, outcome) {
        (true, Outcome::NotSent) => Fault::not_in_time(),
        (false, Outcome::NotSent) => {
            Fault::new(Kind::Unavailable, outcome, "UPSTREAM_UNREACHABLE", "the upstream was not reached in time")
        }
        (true, _) => {
            let message = "the deadline passed before the upstream answered";
            Fault::new(Kind::DeadlineExceeded, outcome, "UPSTREAM_TIMEOUT", message)
        }
        (false, _) => Fault::new(Kind::Unavailable, outcome, "UPSTREAM_TIMEOUT", "the upstream did not answer in time"),
    }
}

/// Without a connection nothing was sent; with one, the request may have been read and carried out even
/// if the answer says only that the connection closed.
pub(super) fn transport_fault(error: &reqwest::Error) -> Fault {
    let text = cause(error);
    let tls = tls_error(error);
    // TLS 1.3 lets a client speak before the server has missed its certificate; what it said was not read
    // (RFC 8446, 4.4.2.4).
    let unread = matches!(tls, Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)));
    if !error.is_connect() && !unread {
        let message = format!("the connection to the upstream broke: {text}");
        return Fault::new(Kind::Unavailable, Outcome::Unknown, "UPSTREAM_CONNECTION", message);
    }
    let reason = if tls.is_some() || text.contains("tls") { "UPSTREAM_TLS" } else { "UPSTREAM_UNREACHABLE" };
    Fault::new(Kind::Unavailable, Outcome::NotSent, reason, format!("the upstream cannot be reached: {text}"))
}

/// What TLS says; it is carried inside of errors of input and output, which do not name it as their source.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(tls) = unwrapped(error) {
            return Some(tls);
        }
        next = error.source();
    }
    None
}

fn unwrapped<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    error.downcast_ref().or_else(|| unwrapped(error.downcast_ref::<io::Error>()?.get_ref()?))
}

/// The innermost cause: the outer ones quote the address with all that stands in it.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if std::ptr::eq(innermost, error as &dyn Error) { "no further detail".to_owned() } else { innermost.to_string() }
}
