//! What a sign-up may choose from, and how pages look.

use super::arguments::Arguments;
use super::office::{NO_SESSION, Office, RESELLER, Record, error, record};
use super::signup::KNOWN_PARTS;
use crate::xmlrpc::Value;

/// Opens package 2.
const PROMOTION: &str = "SPRING";

/// Success has no `error` key, except beside an unknown code.
pub(crate) fn signup_info(office: &mut Office, arguments: &Arguments) -> Record {
    if !office.is_open(arguments.get("session_id")) {
        return error(NO_SESSION);
    }
    let refusal = match (arguments.get("reg_code"), arguments.get("promo_code")) {
        ("", "" | PROMOTION) => None,
        ("", _) => Some("Unknown promotional code"),
        _ => Some("Unknown registration code"),
    };
    let wanted = |part: &u32| arguments.get("promo_code").is_empty() || *part == 2;
    let packages = KNOWN_PARTS.iter().filter(|part| refusal.is_none() && wanted(part)).map(|part| package(*part));
    let mut info = record([
        ("agent", "Test Reseller".into()),
        ("agent_name", "Test Reseller".into()),
        ("company_name", "Example Telecom".into()),
        ("signup_service", "svc_acct".into()),
        ("statedefault", "CA".into()),
        ("countrydefault", "US".into()),
        ("refnum", Value::Undef),
        ("cvv_enabled", "1".into()),
        ("require_cvv", "".into()),
        ("emailinvoiceonly", "".into()),
        ("payby", texts(&["CARD", "CHEK", "PREPAY"])),
        ("payby_longname", texts(&["Credit card", "Electronic check", "Prepaid card"])),
        ("hide_payment_fields", texts(&["0", "0", "0"])),
        ("paytypes", texts(&["", "Personal checking"])),
        ("card_types", Value::Struct(record([("VISA card", "VISA card".into())]))),
        ("msgcat", Value::Struct(record([("empty_password", "Empty password".into())]))),
        ("svc_acct_pop", Value::Array(Vec::new())),
        ("part_referral", rows([[("refnum", "1"), ("referral", "Web"), ("agentnum", "")]])),
        ("cust_main_county", rows([[("country", "US"), ("state", "CA"), ("county", "")]])),
        ("part_pkg", Value::Array(packages.collect())),
    ]);
    info.extend(refusal.map(|text| ("error".to_owned(), text.into())));
    info
}

/// Needs no session: the pages show it to people who have not logged in.
pub(crate) fn skin(arguments: &Arguments) -> Record {
    let given = arguments.get("agentnum");
    let agent = if given == RESELLER.to_string() { given } else { "" };
    record([
        ("agentnum", agent.into()),
        ("company_name", "Example Telecom".into()),
        ("company_address", "1 Main St\nTofutown, CA 05432".into()),
        ("date_format", "%m/%d/%Y".into()),
        ("money_char", "$".into()),
        ("menu_disable", Value::Array(Vec::new())),
        ("body_bgcolor", "#eeeeee".into()),
    ])
}

pub(crate) fn access_info(_office: &mut Office, arguments: &Arguments) -> Record {
    let mut info = skin(arguments);
    info.extend(record([
        ("custnum", arguments.get("custnum").into()),
        ("cust_paybys", texts(&["CARD", "CHEK"])),
        ("hide_payment_fields", texts(&["", ""])),
        ("timeout", "3600".into()),
        ("hide_usage", "".into()),
        ("edit_ticket_subject", "".into()),
        ("self_suspend_reason", Value::Undef),
        ("access_pkgnum", Value::Undef),
        ("access_svcnum", Value::Undef),
    ]));
    info
}

fn package(part: u32) -> Value {
    let options = record([("setup_fee", "0".into()), ("recur_fee", "19.99".into())]);
    Value::Struct(record([
        ("pkgpart", part.into()),
        ("pkg", format!("Package {part}").into()),
        ("freq", "1".into()),
        ("freq_pretty", "monthly".into()),
        ("payby", Value::Array(Vec::new())),
        ("options", Value::Struct(options)),
    ]))
}

fn texts(items: &[&str]) -> Value {
    Value::Array(items.iter().map(|item| Value::from(*item)).collect())
}

fn rows<const N: usize, const M: usize>(rows: [[(&str, &str); M]; N]) -> Value {
    Value::Array(
        rows.into_iter().map(|row| Value::Struct(record(row.map(|(name, value)| (name, value.into()))))).collect(),
    )
}
