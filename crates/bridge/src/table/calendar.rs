//! Dates and times: protobuf's messages <-> the texts of upstreams.

use jiff::civil;

use super::{
    format::DateOrder,
    protobuf::{Fields, Raw, put_message, put_uint},
};

/// Dates that suppliers write for "none".
const NO_DATES: [&str; 3] = ["0000-00-00", "0000-00-00 00:00:00", "00/00/0000"];

/// Whether the text means that there is no date.
pub(super) fn is_no_date(text: &str) -> bool {
    NO_DATES.contains(&text)
}

/// Reads an encoded `google.type.Date`.
pub(super) fn date_from_message(bytes: &[u8]) -> Result<civil::Date, &'static str> {
    let [year, month, day, ..] = numbers(bytes);
    date(year, month, day).ok_or("is not a calendar date with year, month and day")
}

/// Reads an encoded `google.type.DateTime` without an offset.
pub(super) fn date_time_from_message(bytes: &[u8]) -> Result<civil::DateTime, &'static str> {
    if Fields(bytes).any(|(number, _)| number > 7) {
        return Err("must not have an offset or a time zone: the upstream's times have none");
    }
    let [year, month, day, hour, minute, second, nanos] = numbers(bytes);
    let time = time(hour, minute, second, nanos);
    let date = date(year, month, day);
    date.zip(time).map(|(date, time)| date.to_datetime(time)).ok_or("is not a calendar date and time")
}

/// Reads an encoded `google.protobuf.Timestamp` as seconds and nanoseconds.
pub(super) fn timestamp_from_message(bytes: &[u8]) -> (i64, i32) {
    let [seconds, nanos, ..] = numbers(bytes);
    (seconds, nanos as i32)
}

/// The varint fields 1 to 7 of a message, absent ones zero.
fn numbers(bytes: &[u8]) -> [i64; 7] {
    let mut values = [0; 7];
    for (number, raw) in Fields(bytes) {
        if let (Raw::Varint(value), Some(slot)) = (raw, values.get_mut(number as usize - 1)) {
            *slot = value as i64;
        }
    }
    values
}

/// A date of the years that four digits can write; year 0 is protobuf's word for "no year".
fn date(year: i64, month: i64, day: i64) -> Option<civil::Date> {
    if year < 1 {
        return None;
    }
    civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

fn time(hour: i64, minute: i64, second: i64, nanos: i64) -> Option<civil::Time> {
    civil::Time::new(hour.try_into().ok()?, minute.try_into().ok()?, second.try_into().ok()?, nanos.try_into().ok()?)
        .ok()
}

/// Writes a date in an order.
pub(super) fn date_text(date: civil::Date, order: DateOrder) -> String {
    let (year, month, day) = (date.year(), date.month(), date.day());
    match order {
        DateOrder::YearMonthDay => format!("{year:04}-{month:02}-{day:02}"),
        DateOrder::MonthDayYear => format!("{month:02}/{day:02}/{year:04}"),
        DateOrder::DayMonthYear => format!("{day:02}/{month:02}/{year:04}"),
    }
}

/// Writes a timestamp with its offset, as RFC 3339 has it.
pub(super) fn timestamp_text(seconds: i64, nanos: i32) -> Option<String> {
    jiff::Timestamp::new(seconds, nanos).ok().map(|moment| moment.to_string())
}

/// Reads a date: the ISO form always, the field's own order besides, a time of day after it ignored.
pub(super) fn read_date(text: &str, order: DateOrder) -> Option<civil::Date> {
    let text = text.split(['T', ' ']).next()?;
    if let Some([year, month, day]) = split(text, '-') {
        return date(year, month, day);
    }
    let [first, second, year] = split(text, '/')?;
    let (month, day) = if order == DateOrder::DayMonthYear { (second, first) } else { (first, second) };
    date(year, month, day)
}

fn split(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| part.parse().ok());
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

/// A written moment: the clock's reading, and the offset from UTC in seconds if it was written.
pub(super) struct Moment {
    clock: civil::DateTime,
    offset: Option<i32>,
}

/// Reads `2024-10-17 13:42:49 +0200`, `2023-07-05T11:02:23+02:00`, `2016-08-10 05:49:50.297976`,
/// `20100811T12:34:56`, with or without an offset.
pub(super) fn read_moment(text: &str) -> Option<Moment> {
    let (date, rest) = text.split_once(['T', ' '])?;
    let end = rest.find(['+', '-', 'Z', ' ']).unwrap_or(rest.len());
    let (time, offset) = rest.split_at(end);
    let offset = match offset.trim() {
        "" => None,
        text => Some(read_offset(text)?),
    };
    let date = read_compact_date(date).or_else(|| read_date(date, DateOrder::YearMonthDay))?;
    Some(Moment { clock: date.to_datetime(read_time(time)?), offset })
}

fn read_compact_date(text: &str) -> Option<civil::Date> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    date(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?)
}

fn read_time(text: &str) -> Option<civil::Time> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let [hour, minute, second] = split(clock, ':')?;
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction.parse::<i64>().ok()? * 10_i64.pow(9 - fraction.len() as u32);
    time(hour, minute, second, nanos)
}

/// `Z`, `UTC`, `+02`, `+0200`, `+02:00` as seconds.
fn read_offset(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "UTC") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text.strip_prefix(['+', '-'])?.chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    let minutes: i32 = digits.get(2..).filter(|rest| !rest.is_empty()).map_or(Ok(0), str::parse).ok()?;
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

impl Moment {
    /// Appends a `google.protobuf.Timestamp`; false without an offset, because an invented one would be
    /// an invented fact.
    pub(super) fn put_timestamp(&self, number: u32, out: &mut Vec<u8>) -> bool {
        let Some(offset) = self.offset else { return false };
        let Ok(zone) = jiff::tz::Offset::from_seconds(offset) else { return false };
        let Ok(moment) = zone.to_timestamp(self.clock) else { return false };
        put_timestamp(number, moment.as_second(), moment.subsec_nanosecond(), out);
        true
    }

    /// Appends a `google.type.DateTime`, with the offset if there is one.
    pub(super) fn put_date_time(&self, number: u32, out: &mut Vec<u8>) {
        let (date, time) = (self.clock.date(), self.clock.time());
        put_message(out, number, |out| {
            put_date_fields(date, out);
            let clock = [
                (4, time.hour().into()),
                (5, time.minute().into()),
                (6, time.second().into()),
                (7, time.subsec_nanosecond()),
            ];
            for (number, value) in clock {
                put_nonzero(number, i64::from(value), out);
            }
            if let Some(offset) = self.offset {
                put_message(out, 8, |out| put_nonzero(1, i64::from(offset), out));
            }
        });
    }
}

/// Appends a `google.protobuf.Timestamp`.
pub(super) fn put_timestamp(number: u32, seconds: i64, nanos: i32, out: &mut Vec<u8>) {
    put_message(out, number, |out| {
        put_nonzero(1, seconds, out);
        put_nonzero(2, i64::from(nanos), out);
    });
}

/// Appends a `google.type.Date`.
pub(super) fn put_date(number: u32, date: civil::Date, out: &mut Vec<u8>) {
    put_message(out, number, |out| put_date_fields(date, out));
}

fn put_date_fields(date: civil::Date, out: &mut Vec<u8>) {
    put_nonzero(1, i64::from(date.year()), out);
    put_nonzero(2, i64::from(date.month()), out);
    put_nonzero(3, i64::from(date.day()), out);
}

fn put_nonzero(number: u32, value: i64, out: &mut Vec<u8>) {
    if value != 0 {
        put_uint(out, number, value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(text: &str) -> Option<(i64, i32)> {
        let mut out = Vec::new();
        read_moment(text)?.put_timestamp(1, &mut out).then(|| timestamp_from_message(&out[2..]))
    }

    #[test]
    fn reads_both_forms_of_aex_and_more() {
        assert_eq!(timestamp("2024-10-17 13:42:49 +0200"), Some((1_729_165_369, 0)));
        assert_eq!(timestamp("2023-07-05T11:02:23+02:00"), Some((1_688_547_743, 0)));
        assert_eq!(timestamp("2016-08-10 05:49:50.297976+00"), Some((1_470_808_190, 297_976_000)));
        assert_eq!(timestamp("2016-08-10T05:49:50Z"), Some((1_470_808_190, 0)));
        for bad in [
            "2016-08-10 05:49:50",
            "2016-13-10T05:49:50Z",
            "2016-08-10",
            "now",
            "2016-08-10 25:00:00 +0200",
            "2016-08-10 05:49:50 +2",
        ] {
            assert_eq!(timestamp(bad), None, "{bad}");
        }
    }

    #[test]
    fn reads_dates_in_their_order() {
        let date = civil::date(2018, 9, 22);
        for (text, order) in [
            ("2018-09-22", DateOrder::DayMonthYear),
            ("09/22/2018", DateOrder::MonthDayYear),
            ("22/09/2018", DateOrder::DayMonthYear),
            ("2018-09-22 00:00:00", DateOrder::YearMonthDay),
        ] {
            assert_eq!(read_date(text, order), Some(date), "{text}");
        }
        assert_eq!(read_date("22/09/2018", DateOrder::MonthDayYear), None);
        for order in [DateOrder::YearMonthDay, DateOrder::MonthDayYear, DateOrder::DayMonthYear] {
            assert_eq!(read_date(&date_text(date, order), order), Some(date));
        }
    }
}
