//! The checks of a sign-up's payment.

use super::arguments::Arguments;

/// A card that passes every check and is then declined.
pub const DECLINED_CARD: &str = "4000000000000002";
/// The one prepaid card there is.
pub const PREPAID_CARD: &str = "1000200030004000";
/// The sandbox stands in the year of the document: its own sample card runs out in November 2012.
const THIS_YEAR: u32 = 2010;

/// The checks of a payment, each with its text.
pub(crate) fn check(arguments: &Arguments) -> Result<(), String> {
    check_means(arguments.get("payby"), arguments.get("payinfo"), arguments)
}

/// The same for a number that was put together.
pub(crate) fn check_means(payby: &str, payinfo: &str, arguments: &Arguments) -> Result<(), String> {
    match payby {
        "CARD" | "DCRD" => check_card(arguments),
        "CHEK" | "DCHK" if !is_echeck(payinfo) => Err("invalid echeck account@aba".to_owned()),
        "PREPAY" if payinfo != PREPAID_CARD => Err(format!("Invalid prepaid card: {payinfo}")),
        _ => Ok(()),
    }
}

fn check_card(arguments: &Arguments) -> Result<(), String> {
    let number: String = arguments.get("payinfo").chars().filter(char::is_ascii_digit).collect();
    if !(13..=16).contains(&number.len()) || !passes_luhn(&number) {
        return Err("Invalid credit card number".to_owned());
    }
    if !number.starts_with(['3', '4', '5', '6']) {
        return Err("Unknown card type".to_owned());
    }
    let cvv = arguments.get("paycvv");
    if !cvv.is_empty() && (cvv.len() != 3 || !is_digits(cvv)) && !number.starts_with('3') {
        return Err("CVV2 (CVC2/CID) is three digits.".to_owned());
    }
    let paydate = arguments.get("paydate");
    if paydate.is_empty() {
        return Err("Expiration date required".to_owned());
    }
    match expiry_year(paydate) {
        None => Err(format!("Illegal expiration date: {paydate}")),
        Some(year) if year < THIS_YEAR => Err("Expired card".to_owned()),
        Some(_) => Ok(()),
    }
}

/// Year of `m/yy`, `mm/yyyy`, `m-yyyy` or `yyyy-mm-dd`.
fn expiry_year(paydate: &str) -> Option<u32> {
    let parts: Vec<u32> = paydate.split(['/', '-']).map(str::parse).collect::<Result<_, _>>().ok()?;
    let (month, year) = match parts.as_slice() {
        [month, year] => (*month, *year),
        [year, month, _] => (*month, *year),
        _ => return None,
    };
    let year = if year < 100 { 2000 + year } else { year };
    (1..=12).contains(&month).then_some(year)
}

fn passes_luhn(number: &str) -> bool {
    let digits = number.bytes().rev().map(|digit| u32::from(digit - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| match digit * 2 {
            _ if place % 2 == 0 => digit,
            doubled if doubled > 9 => doubled - 9,
            doubled => doubled,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn is_echeck(payinfo: &str) -> bool {
    let parts = payinfo.split_once('@');
    parts.is_some_and(|(account, routing)| !account.is_empty() && routing.len() == 9 && is_digits(routing))
}

/// Perl's `/^\d*$/`.
pub(crate) fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_card_by_its_digits() {
        assert!(passes_luhn("4111111111111111") && passes_luhn(DECLINED_CARD));
        assert!(!passes_luhn("4111111111111112"));
    }

    #[test]
    fn reads_every_form_of_an_expiry() {
        let years: Vec<_> = ["1/12", "11/2012", "1-2012", "2012-11-30", "13/12", "soon"].map(expiry_year).to_vec();
        assert_eq!(years, [Some(2012), Some(2012), Some(2012), Some(2012), None, None]);
    }
}
