//! How a deadline travels. Each hop passes on what is left less 50 ms and 5 %, so that its own answer is still in time when the
//! next one's is not.

use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;

/// Part of what is left that a hop keeps for itself, besides [`MARGIN`].
const SHARE: u32 = 20;
/// Time that a hop keeps for itself in any case.
const MARGIN: Duration = Duration::from_millis(50);

fn kept(left: Duration) -> Duration {
    MARGIN + left / SHARE
}

/// What a hop passes on of the time that is left; nothing if that is not worth a call.
#[must_use]
pub fn passed_on(left: Duration) -> Option<Duration> {
    left.checked_sub(kept(left)).filter(|passed| *passed >= Duration::from_millis(1))
}

/// How long a proxy waits itself: half of the margin beyond what it passed on, so that its answer is still in time.
#[must_use]
pub fn waited_for(left: Duration) -> Duration {
    left.saturating_sub(kept(left) / 2)
}

/// The deadline that a supplier gets, given that of the call.
#[must_use]
pub fn of_upstream(deadline: Instant) -> Instant {
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    now + left.saturating_sub(kept(left))
}

/// Writes a `grpc-timeout` in milliseconds, which eight digits always hold under the longest deadline of the suite.
#[must_use]
pub fn to_header(left: Duration) -> HeaderValue {
    let millis = left.as_millis().min(99_999_999);
    let mut value = HeaderValue::try_from(format!("{millis}m")).unwrap_or(HeaderValue::from_static("1m"));
    // No secret, but different in each call: it would push other headers out of HPACK's table.
    value.set_sensitive(true);
    value
}

/// Reads a `grpc-timeout` of the gRPC over HTTP/2 protocol: one to eight digits and a unit.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hop_keeps_fifty_milliseconds_and_a_twentieth() {
        assert_eq!(passed_on(Duration::from_secs(10)), Some(Duration::from_millis(9450)));
        assert_eq!(passed_on(Duration::from_millis(52)), None);
        for millis in [60, 100, 1000, 300_000] {
            let left = Duration::from_millis(millis);
            assert!(passed_on(left).unwrap() < waited_for(left) && waited_for(left) < left);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_supplier_gets_what_a_hop_passes_on() {
        let now = Instant::now();
        assert_eq!(of_upstream(now + Duration::from_secs(10)), now + Duration::from_millis(9450));
        assert_eq!(of_upstream(now + Duration::from_millis(40)), now);
        assert_eq!(of_upstream(now), now);
    }

    #[test]
    fn what_is_written_is_read() {
        for millis in [1, 9450, 99_999_999] {
            let left = Duration::from_millis(millis);
            assert_eq!(parse(to_header(left).to_str().unwrap()), Some(left));
        }
        assert_eq!(to_header(Duration::MAX), "99999999m");
    }

    #[test]
    fn units_are_those_of_the_protocol() {
        let cases = [("2H", 7_200_000_000_000), ("3M", 180_000_000_000), ("4S", 4_000_000_000), ("5m", 5_000_000)];
        for (text, nanos) in cases.into_iter().chain([("6u", 6_000), ("7n", 7), ("99999999n", 99_999_999)]) {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_the_protocol_does_not_allow_is_none() {
        for text in ["", "S", "abc", "-1S", "5", "123456789S", "1s", "1 S", "+1S", "1é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_timeout_is_read_exactly_or_not_at_all(text in "[0-9]{0,9}.{0,2}") {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let fits = (1..=8).contains(&digits) && ["H", "M", "S", "m", "u", "n"].contains(&&text[digits..]);
            prop_assert_eq!(parse(&text).is_some(), fits, "{}", text);
        }

        #[test]
        fn no_text_is_too_odd(text in any::<String>()) {
            let has_form = text.is_ascii() && (2..=9).contains(&text.len());
            prop_assert!(parse(&text).is_none() || has_form, "{:?}", text);
        }
    }

    #[test]
    fn the_corpus_is_read_as_it_says() {
        for line in include_str!("../tests/corpus/grpc-timeout.txt").lines() {
            let (text, nanos) = line.rsplit_once(" => ").unwrap();
            let expected = nanos.parse().ok().map(Duration::from_nanos);
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
