//! Numbers as ProtoJSON writes them: a number, or a text that holds one.

/// A text that is no whole number.
pub(super) const NOT_WHOLE: &str = "must be a whole number";
/// A text that is no number.
pub(super) const NOT_A_NUMBER: &str = "must be a number";
/// A number that no field could hold.
pub(super) const OUT_OF_RANGE: &str = "must be a number within the range of its field";
/// A number with a fraction or an exponent whose last digits may be lost already.
pub(super) const ROUNDED: &str = "must be written as a text, or without fraction and exponent: it has too many digits";
/// A time that is finer than its field.
pub(super) const TOO_FINE: &str = "must have at most nine digits behind the point";

/// Digits behind the point of a time.
pub(super) const NANOS: usize = 9;
/// Most digits of a whole number that a field can hold.
const DIGITS: i64 = 20;
/// Digits that survive a way through an `f64`.
const EXACT_DIGITS: usize = 15;

/// The parts of a number (RFC 8259, 6); zeros may lead, as other ProtoJSON readers allow in texts.
struct Decimal<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, self::exponent(exponent)?),
            None => (digits, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, are_digits(fraction).then_some(fraction)?),
            None => (mantissa, ""),
        };
        are_digits(whole).then_some(Self { is_negative, whole, fraction, exponent })
    }

    fn whole(&self) -> Result<i128, &'static str> {
        let digits = [self.whole, self.fraction].concat();
        let digits = digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Ok(0);
        }
        let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
        let zeros = self.exponent.saturating_sub(length(self.fraction));
        let zeros = zeros.saturating_add(length(digits) - length(significant));
        let scale = u32::try_from(zeros.min(DIGITS)).map_err(|_| NOT_WHOLE)?;
        if zeros.saturating_add(length(significant)) > DIGITS {
            return Err(OUT_OF_RANGE);
        }
        let number: i128 = significant.parse().map_err(|_| OUT_OF_RANGE)?;
        Ok(number * 10_i128.pow(scale) * if self.is_negative { -1 } else { 1 })
    }
}

fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let size = are_digits(digits).then(|| digits.parse().unwrap_or(i64::MAX))?;
    Some(if text.starts_with('-') { -size } else { size })
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The whole number that a text holds.
pub(super) fn whole(text: &str) -> Result<i128, &'static str> {
    Decimal::parse(text).ok_or(NOT_WHOLE)?.whole()
}

/// The whole number that was written with a fraction or an exponent, or with more digits than an integer of 64 bits has.
pub(super) fn whole_of_float(value: f64) -> Result<i128, &'static str> {
    let shortest = format!("{value:e}");
    let digits = shortest.split('e').next().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    match whole(&shortest)? {
        number if u64::try_from(number.unsigned_abs()).is_err() => Err(OUT_OF_RANGE),
        _ if digits > EXACT_DIGITS => Err(ROUNDED),
        number => Ok(number),
    }
}

/// The number that a text holds, or what no JSON number can say.
pub(super) fn float(text: &str) -> Result<f64, &'static str> {
    match text {
        "NaN" => return Ok(f64::NAN),
        "Infinity" => return Ok(f64::INFINITY),
        "-Infinity" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    Decimal::parse(text).ok_or(NOT_A_NUMBER)?;
    let number: f64 = text.parse().map_err(|_| NOT_A_NUMBER)?;
    if number.is_finite() { Ok(number) } else { Err(OUT_OF_RANGE) }
}

/// How many digits a time has behind its point.
pub(super) fn fraction(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_has_many_forms() {
        let cases = [
            ("0", 0),
            ("-0", 0),
            ("007", 7),
            ("10", 10),
            ("1e1", 10),
            ("1E+1", 10),
            ("10.0", 10),
            ("1.5e1", 15),
            ("100e-2", 1),
            ("0e999999999999999999999", 0),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("18446744073709551615", i128::from(u64::MAX)),
            ("1.8446744073709551615e19", i128::from(u64::MAX)),
        ];
        for (text, expected) in cases {
            assert_eq!(whole(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in
            ["", "-", "+10", " 10", "10 ", "0x10", "1_0", ".5", "5.", "e1", "1e", "1e+", "١", "NaN", "1.5", "1e-1"]
        {
            assert_eq!(whole(text), Err(NOT_WHOLE), "{text}");
        }
        for text in ["1e20", "1e99999999999999999999", "123456789012345678901"] {
            assert_eq!(whole(text), Err(OUT_OF_RANGE), "{text}");
        }
    }

    #[test]
    fn a_float_is_whole_if_nothing_was_rounded() {
        for (value, expected) in
            [(10.0, 10), (1e18, 1_000_000_000_000_000_000), (-0.0, 0), (4_294_967_295.0, 4_294_967_295)]
        {
            assert_eq!(whole_of_float(value), Ok(expected));
        }
        assert_eq!(whole_of_float(9_007_199_254_740_993.0), Err(ROUNDED));
        assert_eq!(whole_of_float(9_223_372_036_854_775_808.0), Err(ROUNDED));
        assert_eq!(whole_of_float(1e20), Err(OUT_OF_RANGE));
        assert_eq!(whole_of_float(0.5), Err(NOT_WHOLE));
    }

    #[test]
    fn a_float_has_the_words_of_the_mapping_and_no_others() {
        assert_eq!((float("1e2"), float("-Infinity")), (Ok(100.0), Ok(f64::NEG_INFINITY)));
        assert!(float("NaN").unwrap().is_nan());
        for text in ["nan", "inf", "-inf", "infinity", "+Infinity", "+1", " 1", "1.", "", "0x1p3", "1f"] {
            assert_eq!(float(text), Err(NOT_A_NUMBER), "{text}");
        }
        assert_eq!(float("1e400"), Err(OUT_OF_RANGE));
    }
}
