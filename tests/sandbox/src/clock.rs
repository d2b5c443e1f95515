//! The sandbox's calendar: the present moment in the forms the upstreams print.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;
const TWO_HOURS: i64 = 7_200;

/// Seconds since 1970.
pub(crate) fn epoch() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// The moment as AEx prints it: `2024-10-17 13:42:49 +0200`, South African time.
pub(crate) fn south_african(epoch: i64) -> String {
    format!("{} +0200", moment(epoch + TWO_HOURS))
}

/// The day as AEx begins its work order references: `20241016`.
pub(crate) fn compact_day(epoch: i64) -> String {
    day(epoch + TWO_HOURS).replace('-', "")
}

/// The day as `2024-10-17`.
pub(crate) fn day(epoch: i64) -> String {
    let (year, month, day) = civil(epoch.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The moment as `2024-10-17 13:42:49`.
pub(crate) fn moment(epoch: i64) -> String {
    let second = epoch.rem_euclid(DAY);
    format!("{} {:02}:{:02}:{:02}", day(epoch), second / 3600, second / 60 % 60, second % 60)
}

/// Days since 1970 to year, month and day of the Gregorian calendar, counted in years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let in_era = shifted.rem_euclid(146_097);
    let year_of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_based = (5 * in_year + 2) / 153;
    let day = in_year - (153 * march_based + 2) / 5 + 1;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_seeds_timestamp() {
        assert_eq!(south_african(1_729_165_369), "2024-10-17 13:42:49 +0200");
        assert_eq!(compact_day(1_729_165_369), "20241017");
        assert_eq!(day(951_782_400), "2000-02-29");
    }
}
