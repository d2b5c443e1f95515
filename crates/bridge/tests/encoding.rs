//! Messages -> trees: what is sent, and what is refused with its path.

use std::collections::BTreeMap;

use bridge::{table::TextRule, wire::json};
use bumpalo::Bump;
use prost::{Message, Name};
use prost_types::{Duration, ListValue};

use crate::contract::{
    Contact, DateTime, Kind, ScalarsRequest, ShapesRequest, Struct, Target, Timestamp, Value, date, line, modern,
    tables, tables_by,
};

/// What is sent, as JSON, where numbers and texts differ.
fn sent<Q: Message + Name>(request: &Q) -> String {
    let arena = Bump::new();
    let mut text = String::new();
    json::write(tables(TextRule::Any).encode(request, &arena).expect("the request is right"), &mut text);
    text
}

/// The paths that are refused, each with the start of what is said.
fn refused<Q: Message + Name>(text: TextRule, request: &Q) -> Vec<(String, String)> {
    let problems = tables(text).encode(request, &Bump::new()).expect_err("the request is wrong");
    problems.0.into_iter().map(|problem| (problem.field, problem.text)).collect()
}

fn fields(problems: &[(String, String)]) -> Vec<&str> {
    problems.iter().map(|(field, _)| field.as_str()).collect()
}

fn named() -> ScalarsRequest {
    ScalarsRequest { name: "n".into(), ..ScalarsRequest::default() }
}

fn contact(name: &str, email: &str) -> Contact {
    Contact { name: name.into(), email: email.into(), primary: None }
}

fn structure(entries: &[(&str, Kind)]) -> Struct {
    let value = |kind: &Kind| Value { kind: Some(kind.clone()) };
    Struct { fields: entries.iter().map(|(key, kind)| ((*key).to_owned(), value(kind))).collect() }
}

#[test]
fn nothing_absent_is_sent() {
    assert_eq!(sent(&named()), r#"{"fullname":"n"}"#);
    assert_eq!(sent(&ShapesRequest::default()), "{}");
}

#[test]
fn what_is_set_to_nothing_is_sent() {
    let request = ScalarsRequest {
        note: Some(String::new()),
        plain: Some(false),
        spelled: Some(false),
        flag: Some(false),
        small: Some(0),
        ..named()
    };
    assert_eq!(sent(&request), r#"{"fullname":"n","note_in":"","plain":false,"spelled":"no","small":0}"#);
}

#[test]
fn every_scalar_in_its_format() {
    let request = ScalarsRequest {
        note: Some("a\u{1}b".into()),
        plain: Some(true),
        spelled: Some(true),
        flag: Some(true),
        small: Some(-7),
        large: Some(i64::MIN),
        unsigned: Some(u64::MAX),
        ratio: Some(0.1),
        weight: Some(0.1),
        amount: Some("12.50".into()),
        color: 1,
        ..named()
    };
    let expected = concat!(
        r#"{"fullname":"n","note_in":"a\u0001b","plain":true,"spelled":"yes","is_flagged":"1","small":-7,"#,
        r#""large":-9223372036854775808,"unsigned":18446744073709551615,"ratio":0.1,"weight":0.1,"#,
        r#""amount":12.50,"color":"dark_red"}"#
    );
    assert_eq!(sent(&request), expected);
    assert_eq!(sent(&ScalarsRequest { color: 2, ..named() }), r#"{"fullname":"n","color":""}"#);
}

#[test]
fn dates_and_times_in_their_orders() {
    let request = ScalarsRequest {
        iso: Some(date(2018, 9, 2)),
        american: Some(date(2018, 9, 22)),
        british: Some(date(2018, 9, 22)),
        local: Some(DateTime {
            year: 2024,
            month: 2,
            day: 29,
            hours: 7,
            minutes: 8,
            seconds: 9,
            nanos: 0,
            utc_offset: None,
        }),
        moment: Some(Timestamp { seconds: 1_729_165_369, nanos: 500_000_000 }),
        epoch: Some(Timestamp { seconds: -1, nanos: 0 }),
        ..named()
    };
    let expected = concat!(
        r#"{"fullname":"n","iso":"2018-09-02","us_date":"09/22/2018","uk_date":"22/09/2018","#,
        r#""local":"2024-02-29 07:08:09","moment":"2024-10-17T11:42:49.5Z","epoch":-1}"#
    );
    assert_eq!(sent(&request), expected);
}

#[test]
fn a_dialect_has_its_own_words() {
    let request = ScalarsRequest { spelled: Some(true), iso: Some(date(2018, 9, 2)), ..named() };
    let (arena, tables, mut text) = (Bump::new(), modern(), String::new());
    json::write(tables.encode(&request, &arena).expect("the request is right"), &mut text);
    assert_eq!(text, r#"{"displayName":"n","spelled":"Y","iso":"02/09/2018"}"#);
}

#[test]
fn every_shape_in_its_format() {
    let request = ShapesRequest {
        contact: Some(Contact { primary: Some(true), ..contact("a", "a@example.com") }),
        contacts: vec![contact("b", "b@example.com"), contact("", "c@example.com")],
        tags: vec!["x".into(), String::new()],
        numbers: vec![3, 0, -1],
        ratios: vec![0.5, 2.0],
        joined: vec!["p".into(), "q".into()],
        parted: Some(contact("", "d@example.com")),
        joined_parts: vec![contact("e", "e@example.com"), contact("f", "f@example.com")],
        ..ShapesRequest::default()
    };
    let expected = concat!(
        r#"{"main_contact":{"fullname":"a","email":"a@example.com","primary":"yes"},"#,
        r#""contacts":[{"fullname":"b","email":"b@example.com"},{"email":"c@example.com"}],"#,
        r#""tags":["x",""],"numbers":[3,0,-1],"ratios":[0.5,2],"joined":"p,q","#,
        r#""parted":":::d@example.com:::","#,
        r#""joined_parts":"e:::e@example.com:::///f:::f@example.com:::"}"#
    );
    assert_eq!(sent(&request), expected);
}

#[test]
fn maps_oneofs_and_free_forms() {
    let request = ShapesRequest {
        custom_fields: BTreeMap::from([("39".into(), "x".into()), ("40".into(), String::new())]),
        switches: BTreeMap::from([("off".into(), false), ("on".into(), true)]),
        lines: BTreeMap::from([("k".into(), line("1", Some(2)))]),
        settings: Some(structure(&[("a", Kind::NumberValue(1.5)), ("b", Kind::NullValue(0))])),
        settings_text: Some(structure(&[("l", list())])),
        line_text: Some(line("\"", None)),
        target: Some(Target::AccountId(0)),
        ..ShapesRequest::default()
    };
    let expected = concat!(
        r#"{"custom_field_39":"x","custom_field_40":"","switches":{"off":"no","on":"yes"},"#,
        r#""lines":{"k":{"id":"1","quantity":2}},"settings":{"a":1.5,"b":null},"#,
        r#""settings_text":"{\"l\":[\"t\",true]}","line_text":"{\"id\":\"\\\"\"}","account_id":0}"#
    );
    assert_eq!(sent(&request), expected);
}

fn list() -> Kind {
    let values = [Kind::StringValue("t".into()), Kind::BoolValue(true)];
    Kind::ListValue(ListValue { values: values.map(|kind| Value { kind: Some(kind) }).into() })
}

#[test]
fn all_problems_come_at_once_with_their_paths() {
    let request = ScalarsRequest {
        ratio: Some(f64::NAN),
        amount: Some("1,5".into()),
        color: 9,
        iso: Some(date(2018, 2, 30)),
        american: Some(date(0, 5, 3)),
        local: Some(DateTime { year: 2024, month: 1, day: 1, hours: 24, ..DateTime::default() }),
        moment: Some(Timestamp { seconds: i64::MAX, nanos: 0 }),
        ..ScalarsRequest::default()
    };
    let problems = refused(TextRule::Any, &request);
    assert_eq!(fields(&problems), ["ratio", "amount", "color", "iso", "american", "local", "moment", "name"]);
    assert_eq!(problems[7].1, "is required");
}

#[test]
fn problems_inside_have_indexed_paths() {
    let request = ShapesRequest {
        contact: Some(contact("a", "")),
        contacts: vec![contact("a", "x"), contact("b", "")],
        settings: Some(structure(&[("a", Kind::NumberValue(f64::INFINITY))])),
        custom_fields: BTreeMap::from([(String::new(), "x".into())]),
        ..ShapesRequest::default()
    };
    let problems = refused(TextRule::Any, &request);
    assert_eq!(fields(&problems), ["contact.email", "contacts[1].email", "custom_fields", "settings"]);
}

#[test]
fn an_offset_is_refused_where_the_upstream_has_none() {
    let local = DateTime { year: 2024, month: 1, day: 1, utc_offset: Some(Duration::default()), ..DateTime::default() };
    assert_eq!(fields(&refused(TextRule::Any, &ScalarsRequest { local: Some(local), ..named() })), ["local"]);
}

#[test]
fn a_separator_inside_a_value_is_refused() {
    for (name, email, field) in [
        ("a:::b", "e", "parted.name"),
        ("a", "e:::f", "parted.email"),
        // The upstream would read `a::::e:::` as `a` and `:e`.
        ("a:", "e", "parted.name"),
    ] {
        let request = ShapesRequest { parted: Some(contact(name, email)), ..ShapesRequest::default() };
        assert_eq!(fields(&refused(TextRule::Any, &request)), [field], "{name} {email}");
    }
    let harmless = ShapesRequest { parted: Some(contact(":a:b", ":e")), ..ShapesRequest::default() };
    assert_eq!(sent(&harmless), r#"{"parted":":a:b::::e:::"}"#);
    let request = ShapesRequest {
        joined: vec!["a,b".into(), "c".into()],
        joined_parts: vec![contact("x///y", "e"), contact("x", "e")],
        ..ShapesRequest::default()
    };
    let problems = refused(TextRule::Any, &request);
    assert_eq!(fields(&problems), ["joined", "joined_parts"]);
    assert!(problems[0].1.contains("\",\""), "the separator is named: {problems:?}");
}

#[test]
fn characters_that_xml_cannot_carry_are_refused_on_xml_only() {
    let request = ShapesRequest {
        tags: vec!["fine\t\r\n".into(), "bell\u{7}".into()],
        custom_fields: BTreeMap::from([("\u{b}".into(), "\u{ffff}".into())]),
        settings: Some(structure(&[("\0", Kind::StringValue("\u{1}".into()))])),
        ..ShapesRequest::default()
    };
    let problems = refused(TextRule::Xml, &request);
    let expected = ["tags[1]", "custom_fields", "custom_fields", "settings", "settings"];
    assert_eq!(fields(&problems), expected);
    assert_eq!(problems[0].1, "contains U+0007, which XML cannot carry");
    assert!(tables(TextRule::Any).encode(&request, &Bump::new()).is_ok());
}

#[test]
fn a_vocabulary_that_does_not_fit_is_refused_by_name() {
    for (vocabulary, expected) in [
        ("[names]\nnope = \"x\"", "nope"),
        ("[message.Nope]\na = \"x\"", "Nope is not a message"),
        ("[message.Line]\nnope = \"x\"", "Line has no field nope"),
        ("[enum.Nope]\nA = \"x\"", "Nope is not an enum"),
        ("[enum.Color]\nCOLOR_BLUE = \"x\"", "Color has no value COLOR_BLUE"),
        ("[message.Line]\nid = { format = \"flag\" }", "Line.id"),
        ("[message.Line]\nquantity = { format = \"date YYYY-MM-DD\" }", "Line.quantity"),
        ("[message.ShapesReply]\nkeyed = { format = \"parts ,\" }", "ShapesReply.keyed"),
        ("[message.ShapesReply]\nkeyed = { format = \"keyed nope\" }", "ShapesReply.keyed"),
    ] {
        let error = tables_by(vocabulary, None, TextRule::Any).map(|_| "accepted").expect_err(vocabulary);
        assert!(error.contains(expected), "{vocabulary}: {error}");
    }
}
