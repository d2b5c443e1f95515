//! The words of SIMPLer: that it did something, that it did not, or neither.
//!
//! The document shows a few forms of success and says "error message" for the rest. A text that is neither a known form of
//! success nor has known words of refusal tells nothing about a write.

/// What a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'t> {
    /// It is done.
    Done {
        /// The id that it gives.
        id: Option<&'t str>,
        /// Whether it says anything else.
        has_more: bool,
    },
    /// It was refused.
    Refused,
    /// Nobody knows.
    Unclear,
}

impl<'t> Word<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        match done(text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\'' | '"'))) {
            // `OK, but the address is invalid` may be about a part of it.
            Some((None, more)) if refuses(more) => Word::Unclear,
            Some((id, more)) => Word::Done { id, has_more: !more.is_empty() },
            None if refuses(text) => Word::Refused,
            None => Word::Unclear,
        }
    }
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `OK`, `OK:12`, `OK: 12`, `OK :12`, `12OK`, `[12]OK` (SIMPLer API 2011-2Q), in either case, also with other signs
/// between and words behind: the id, and the words.
fn done(text: &str) -> Option<(Option<&str>, &str)> {
    if let Some((id, rest)) = leading_number(text) {
        return Some((Some(id), bare(after_ok(rest.trim_start())?)));
    }
    let rest = after_ok(text)?.trim_start();
    let (has_colon, has_sign) = (rest.starts_with(':'), rest.starts_with(|c: char| c.is_ascii_punctuation()));
    let rest = if has_colon { rest[1..].trim() } else { bare(rest) };
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(')).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(end);
    let id = head.trim_end_matches(['.', '!']).trim_matches(['[', ']']);
    let ends = tail.is_empty() || tail.starts_with([',', ';']);
    if is_id(id) && (has_colon || ends) {
        return Some((Some(id), bare(tail)));
    }
    (has_sign || rest.is_empty()).then_some((None, bare(rest)))
}

/// The number before `OK`, and what follows it.
fn leading_number(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[').unwrap_or(text);
    let (number, rest) = inner.split_at(inner.find(|c: char| !c.is_ascii_digit())?);
    let rest = if inner.len() < text.len() { rest.strip_prefix(']')? } else { rest };
    is_number(number).then_some((number, rest))
}

/// What follows `OK` where that is a word of its own.
fn after_ok(text: &str) -> Option<&str> {
    let (ok, rest) = text.split_at_checked(2)?;
    let goes_on = rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (ok.eq_ignore_ascii_case("OK") && !goes_on).then_some(rest)
}

/// A text without the signs around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '.' | ',' | ';' | '-' | '!' | '\'' | '"'))
}

/// All ids of the document's samples are numbers; one of another kind has a digit at least.
fn is_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Words of refusal: the document's (`code already exist`, its conditions of deleteCustomer), those of the captures, and
/// what can hardly mean anything else (inferred).
const REFUSALS: [&str; 35] = [
    "access denied",
    "access list",
    "already exist",
    "already exists",
    "already taken",
    "already used",
    "can't",
    "cannot",
    "denied",
    "do not exist",
    "does not exist",
    "doesn't exist",
    "duplicate",
    "failed to",
    "forbidden",
    "illegal",
    "in use",
    "incorrect",
    "invalid",
    "is required",
    "missing",
    "must be",
    "must have",
    "must not",
    "no such",
    "not allowed",
    "not authorised",
    "not authorized",
    "not found",
    "not permitted",
    "not unique",
    "not valid",
    "refused",
    "rejected",
    "unable to",
];

/// What a write does; a refusal with `not` before it.
const DEEDS: [&str; 10] =
    ["added", "created", "deleted", "generated", "inserted", "modified", "removed", "saved", "stored", "updated"];

/// Words of something that was done, whatever else went wrong.
const DONE: [&str; 8] = ["changed", "completed", "done", "ok", "sent", "success", "successful", "successfully"];

/// Signs of a program that broke off, before or after it did something.
const BROKEN: [&str; 9] =
    ["timeout", "timed out", "internal", "unexpected", "exception", "deadlock", "partial", "dbd::", " line "];

/// Whether a text is known to refuse the whole call.
fn refuses(text: &str) -> bool {
    let lower = text.to_lowercase();
    if BROKEN.iter().any(|sign| lower.contains(sign)) {
        return false;
    }
    // The sign of an error that the document names (checkEUPLogin).
    let mut refused = lower.split(|c: char| !c.is_alphanumeric()).next() == Some("error");
    for clause in lower.split([',', ';', '.', ':', '!', '(', ')']) {
        let words = format!(" {} ", clause.split(|c: char| c.is_whitespace()).collect::<Vec<_>>().join(" "));
        let (no, yes) = (refusal(&words), deed(&words));
        // What was done before somebody said no is done.
        if yes.is_some_and(|yes| no.is_none_or(|no| yes < no)) {
            return false;
        }
        refused |= no.is_some();
    }
    refused
}

/// Where the first words of refusal stand.
fn refusal(words: &str) -> Option<usize> {
    let find = |phrase: &str| words.find(&format!(" {phrase} "));
    let known = REFUSALS.iter().filter_map(|phrase| find(phrase));
    let not_done =
        DEEDS.iter().flat_map(|deed| [find(&format!("not {deed}")), find(&format!("not be {deed}"))]).flatten();
    // `no invoices should be generated for a customer account` (SIMPLer API 2011-2Q, deleteCustomer).
    let condition = find("no").filter(|no| words[*no..].contains(" should "));
    let unknown = find("unknown").filter(|unknown| !words[*unknown..].starts_with(" unknown error "));
    known.chain(not_done).chain(condition).chain(unknown).min()
}

/// Where the first word of something done stands.
fn deed(words: &str) -> Option<usize> {
    DEEDS.iter().chain(&DONE).filter_map(|word| words.find(&format!(" {word} "))).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_success_is_known() {
        for text in ["OK", "ok", "Ok", "OK.", "OK!", "OK:", "OK :", "'OK", "OK'", "\"OK\"", " OK - "] {
            assert_eq!(Word::of(text), Word::Done { id: None, has_more: false }, "{text}");
        }
        for text in [
            "OK:12", "OK: 12", "OK :12", "OK : 12", "Ok:12", "ok: 12", "OK 12", "OK-12", "OK - 12", "OK,12", "OK:12.",
            "OK:[12]", "OK [12]", "12OK", "12 OK", "[12]OK", "[12] Ok", "12ok.", "OK\n12", "'OK:12'",
        ] {
            assert_eq!(Word::of(text), Word::Done { id: Some("12"), has_more: false }, "{text}");
        }
    }

    #[test]
    fn what_follows_is_kept_apart_from_the_id() {
        for text in [
            "OK:12, nickname changed to b1",
            "OK: 12 nickname changed to b1",
            "OK:12; nickname changed",
            "OK:12 (nickname changed)",
            "OK 12, nickname changed",
            "12OK, nickname changed",
            "[12]OK: nickname not changed",
            "OK:12, welcome mail refused",
        ] {
            assert_eq!(Word::of(text), Word::Done { id: Some("12"), has_more: true }, "{text}");
        }
        for text in ["OK, nickname changed to b1", "OK: nickname changed to b1", "OK - 3 invoices generated", "OK:-1"] {
            assert_eq!(Word::of(text), Word::Done { id: None, has_more: true }, "{text}");
        }
    }

    #[test]
    fn refusals_have_known_words() {
        for text in [
            "ERROR: access denied",
            "ERROR: missing required attribute nickname",
            "Error: customer 12 is in status current",
            "ERROR - quota",
            "code already exist",
            "access denied",
            "your address is not in the access list",
            "no such username",
            "customer does not exist",
            "customer must be in a status different than 'current'",
            "no subscriptions should be attached to a customer account",
            "no Credit Cards should be added to a customer account",
            "Invalid date",
            "subscription cannot be deleted",
            "customer could not be added",
            "customer not created",
            "unknown column 7",
            "nickname is already taken",
        ] {
            assert_eq!(Word::of(text), Word::Refused, "{text}");
        }
    }

    #[test]
    fn all_else_says_nothing_of_a_write() {
        for text in [
            "",
            "12",
            "0",
            "1",
            "-1",
            "1.5",
            "true",
            "false",
            "SUCCESS",
            "Success: 12",
            "done",
            "yes",
            "OKAY",
            "OK12",
            "OK_12",
            "NOT OK",
            "nickOK",
            "OK then",
            "ERROR: OK",
            "Customer 12 created",
            "customer created, mail address is invalid",
            "ERROR: customer added, welcome mail refused",
            "ERROR: timeout while writing",
            "ERROR: DBD::Pg::st execute failed",
            "error at /usr/lib/X.pm line 12.",
            "unknown error",
            "errors: 0",
            "no errors",
            "Invoice no 12 sent",
            "OK, but the address is invalid",
            "Ł",
            "\u{ffff}",
        ] {
            assert_eq!(Word::of(text), Word::Unclear, "{text}");
        }
    }
}
