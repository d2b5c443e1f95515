//! Trees -> messages: lenient reading, and what becomes of what cannot be read.

mod documents;

use std::collections::BTreeMap;

use bridge::{
    problem::Problem,
    table::{Decoded, TextRule},
    wire::json,
};
use bumpalo::Bump;
use prost::{Message, Name};

use crate::contract::{
    Contact, Date, DateTime, Kind, RestReply, ScalarsReply, ShapesReply, Struct, Timestamp, Value, WholeReply, date,
    line, modern, tables,
};

fn decode<R: Message + Name + Default>(reply: &str) -> Decoded<R> {
    let arena = Bump::new();
    tables(TextRule::Any).decode(json::parse(reply.as_bytes(), &arena).expect(reply))
}

/// A reply in which everything is as it should be.
fn clean<R: Message + Name + Default>(reply: &str) -> R {
    let decoded = decode::<R>(reply);
    assert_eq!((decoded.unreadable, decoded.missing), (vec![], vec![]), "{reply}");
    decoded.message
}

fn scalars(field: &str) -> ScalarsReply {
    clean(&format!(r#"{{"id":"1",{field}}}"#))
}

fn paths(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.field.as_str()).collect()
}

/// What `extra_fields` keeps under a key.
fn kept<'e>(extra: &'e Option<Struct>, key: &str) -> Option<&'e Kind> {
    extra.as_ref()?.fields.get(key)?.kind.as_ref()
}

fn text(text: &str) -> Kind {
    Kind::StringValue(text.to_owned())
}

#[test]
fn a_value_may_be_a_number_or_a_text() {
    for (field, expected) in [
        (r#""small":12"#, ScalarsReply { small: Some(12), ..one() }),
        (r#""small":"12""#, ScalarsReply { small: Some(12), ..one() }),
        (r#""small":" 12 ""#, ScalarsReply { small: Some(12), ..one() }),
        (r#""small":15.0"#, ScalarsReply { small: Some(15), ..one() }),
        (r#""small":-2147483648"#, ScalarsReply { small: Some(i32::MIN), ..one() }),
        (r#""large":"-9223372036854775808""#, ScalarsReply { large: Some(i64::MIN), ..one() }),
        (r#""unsigned":18446744073709551615"#, ScalarsReply { unsigned: Some(u64::MAX), ..one() }),
        (r#""ratio":"1e3""#, ScalarsReply { ratio: Some(1000.0), ..one() }),
        (r#""weight":0.5"#, ScalarsReply { weight: Some(0.5), ..one() }),
        (r#""amount":549.10"#, ScalarsReply { amount: Some("549.10".into()), ..one() }),
        (r#""amount":"0.1""#, ScalarsReply { amount: Some("0.1".into()), ..one() }),
        (r#""note_out":7"#, ScalarsReply { note: Some("7".into()), ..one() }),
        (r#""note_out":true"#, ScalarsReply { note: Some("true".into()), ..one() }),
        (r#""note_out":["lone"]"#, ScalarsReply { note: Some("lone".into()), ..one() }),
        (r#""color":"Dark_Red""#, ScalarsReply { color: 1, ..one() }),
    ] {
        assert_eq!(scalars(field), expected, "{field}");
    }
}

fn one() -> ScalarsReply {
    ScalarsReply { id: "1".into(), ..ScalarsReply::default() }
}

#[test]
fn nothing_has_many_forms() {
    let fields = [
        "note_out",
        "plain",
        "spelled",
        "is_flagged",
        "small",
        "ratio",
        "amount",
        "color",
        "iso",
        "us_date",
        "uk_date",
        "local",
        "moment",
        "epoch",
    ];
    for field in fields {
        for nothing in ["null", "\"\"", "[]", "{}", "[null]", "[\"\"]"] {
            assert_eq!(scalars(&format!("\"{field}\":{nothing}")), one(), "{field} {nothing}");
        }
    }
    for field in ["iso", "us_date", "uk_date", "local", "moment"] {
        for never in ["0000-00-00", "0000-00-00 00:00:00", "00/00/0000"] {
            assert_eq!(scalars(&format!("\"{field}\":\"{never}\"")), one(), "{field} {never}");
        }
    }
}

#[test]
fn booleans_have_their_own_and_the_usual_spellings() {
    for (spelling, expected) in [
        ("\"yes\"", true),
        ("\"no\"", false),
        ("1", true),
        ("0", false),
        ("\"T\"", true),
        ("\"f\"", false),
        ("true", true),
        ("\"Off\"", false),
    ] {
        assert_eq!(scalars(&format!("\"spelled\":{spelling}")).spelled, Some(expected), "{spelling}");
    }
    for unknown in ["\"maybe\"", "2", "\"ja\""] {
        let decoded = decode::<ScalarsReply>(&format!(r#"{{"id":1,"spelled":{unknown}}}"#));
        assert_eq!((decoded.message.spelled, paths(&decoded.unreadable)), (None, vec!["spelled"]), "{unknown}");
    }
}

#[test]
fn dates_and_times_in_every_order() {
    let day: Option<Date> = Some(date(2018, 9, 2));
    for (field, expected) in [
        (r#""iso":"2018-09-02""#, ScalarsReply { iso: day, ..one() }),
        (r#""iso":"2018-09-02 00:00:00""#, ScalarsReply { iso: day, ..one() }),
        (r#""us_date":"09/02/2018""#, ScalarsReply { american: day, ..one() }),
        (r#""us_date":"2018-09-02""#, ScalarsReply { american: day, ..one() }),
        (r#""uk_date":"02/09/2018""#, ScalarsReply { british: day, ..one() }),
        (r#""moment":"2024-10-17 13:42:49 +0200""#, ScalarsReply { moment: at(1_729_165_369, 0), ..one() }),
        (r#""moment":"2016-08-10T05:49:50.25Z""#, ScalarsReply { moment: at(1_470_808_190, 250_000_000), ..one() }),
        (r#""epoch":1470808190"#, ScalarsReply { epoch: at(1_470_808_190, 0), ..one() }),
        (r#""epoch":"1470808190""#, ScalarsReply { epoch: at(1_470_808_190, 0), ..one() }),
    ] {
        assert_eq!(scalars(field), expected, "{field}");
    }
    let local = scalars(r#""local":"2016-08-10 05:49:50.5""#).local;
    let expected = DateTime {
        year: 2016,
        month: 8,
        day: 10,
        hours: 5,
        minutes: 49,
        seconds: 50,
        nanos: 500_000_000,
        utc_offset: None,
    };
    assert_eq!(local, Some(expected));
}

fn at(seconds: i64, nanos: i32) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos })
}

#[test]
fn what_cannot_be_read_is_absent_reported_and_kept() {
    for (field, value) in [
        ("small", "\"12a\""),
        ("small", "2147483648"),
        ("small", "1.5"),
        ("unsigned", "-1"),
        ("ratio", "\"1,5\""),
        ("color", "\"mauve\""),
        ("iso", "\"2018-02-30\""),
        ("us_date", "\"22/09/2018\""),
        ("moment", "\"2016-08-10 05:49:50\""),
        ("epoch", "\"tomorrow\""),
    ] {
        let decoded = decode::<ScalarsReply>(&format!(r#"{{"id":1,"{field}":{value}}}"#));
        let ScalarsReply { extra_fields, ref id, .. } = decoded.message.clone();
        assert_eq!(kept(&extra_fields, field), Some(&text(value.trim_matches('"'))), "{field} {value}");
        assert_eq!((id.as_str(), decoded.unreadable.len()), ("1", 1));
        assert_eq!(ScalarsReply { extra_fields: None, ..decoded.message }, one(), "{field} {value}");
        assert!(!decoded.unreadable[0].text.contains(value.trim_matches('"')), "no value in a report");
    }
}

#[test]
fn of_a_key_that_comes_again_the_last_counts() {
    assert_eq!(scalars(r#""note_out":"a","note_out":"b""#), ScalarsReply { note: Some("b".into()), ..one() });
    assert_eq!(
        scalars(r#""note_out":"a","small":"x","small":7,"note_out":null"#),
        ScalarsReply { small: Some(7), ..one() }
    );
    let message = clean::<ShapesReply>(
        r#"{"main_contact":{"email":"a"},"tags":["a"],"tags":["b"],"main_contact":{"fullname":"b"},
            "switches":{"a":1,"a":0},"keyed":{"1":{},"1":{"quantity":5}},"new":1,"new":2}"#,
    );
    assert_eq!(message.contact, Some(Contact { name: "b".into(), ..Contact::default() }));
    assert_eq!((message.tags, message.switches), (texts(&["b"]), BTreeMap::from([("a".into(), false)])));
    assert_eq!((message.keyed, kept(&message.extra_fields, "new")), (vec![line("1", Some(5))], Some(&text("2"))));
}

#[test]
fn unknown_keys_are_kept() {
    let reply = clean::<ScalarsReply>(r#"{"id":1,"new":5,"deep":{"a":[null,true,"x"]}}"#);
    assert_eq!(kept(&reply.extra_fields, "new"), Some(&text("5")));
    let Some(Kind::StructValue(deep)) = kept(&reply.extra_fields, "deep") else { panic!("{reply:?}") };
    let Some(Value { kind: Some(Kind::ListValue(list)) }) = deep.fields.get("a") else { panic!("{deep:?}") };
    let kinds: Vec<_> = list.values.iter().filter_map(|value| value.kind.clone()).collect();
    assert_eq!(kinds, [Kind::NullValue(0), Kind::BoolValue(true), text("x")]);
}

#[test]
fn no_depth_of_an_unknown_key_fails_a_reply() {
    for depth in [20, 24, 25, 60, 120] {
        let reply = format!(r#"{{"id":1,"deep":{}1{}}}"#, r#"{"a":["#.repeat(depth / 2), "]}".repeat(depth / 2));
        let message = clean::<ScalarsReply>(&reply);
        assert!(kept(&message.extra_fields, "deep").is_some(), "{depth}");
        assert_eq!(message.id, "1");
    }
}

#[test]
fn a_required_field_is_missing_when_absent_empty_or_unreadable() {
    for reply in ["{}", r#"{"id":null}"#, r#"{"id":""}"#, r#"{"id":{"a":1}}"#, "null", "[]", "\"OK\""] {
        assert_eq!(paths(&decode::<ScalarsReply>(reply).missing), ["id"], "{reply}");
    }
    assert!(decode::<ScalarsReply>(r#"{"id":0}"#).missing.is_empty());
}

#[test]
fn a_list_may_be_a_lone_item() {
    for (reply, tags, numbers) in [
        (r#"{"tags":"a","numbers":"3"}"#, vec!["a"], vec![3]),
        (r#"{"tags":["a","",null,"b"],"numbers":[3,"",null,"4"]}"#, vec!["a", "", "b"], vec![3, 4]),
        (r#"{"tags":[],"numbers":{}}"#, vec![], vec![]),
    ] {
        let message = clean::<ShapesReply>(reply);
        assert_eq!((message.tags, message.numbers), (tags.iter().map(|tag| (*tag).into()).collect(), numbers));
    }
    let message = clean::<ShapesReply>(r#"{"contacts":{"fullname":"a"},"ratios":0.5}"#);
    assert_eq!((message.contacts.len(), message.contacts[0].name.as_str(), message.ratios), (1, "a", vec![0.5]));
}

#[test]
fn a_list_may_be_a_map_of_numbers() {
    for (reply, tags, numbers) in [
        (r#"{"tags":{"0":"a","2":"b"},"numbers":{"7":3}}"#, vec!["a", "b"], vec![3]),
        (r#"{"tags":{"10":"c","-1":"a","9":"b"},"numbers":{"2":4,"1":null,"0":3}}"#, vec!["a", "b", "c"], vec![3, 4]),
        (r#"{"tags":{"1":"","0":null},"joined":{"3":"r","1":"p","2":"q"}}"#, vec![""], vec![]),
        (r#"{"tags":{},"numbers":{"0":""},"contacts":{},"keyed":{},"joined":{},"joined_parts":{}}"#, vec![], vec![]),
    ] {
        let message = clean::<ShapesReply>(reply);
        let joined = if reply.contains('q') { vec!["p", "q", "r"] } else { vec![] };
        assert_eq!((message.tags, message.numbers, message.joined), (texts(&tags), numbers, texts(&joined)), "{reply}");
    }
    for reply in [
        r#"{"contacts":{"0":{"fullname":"a"},"2":{"fullname":"b"}}}"#,
        r#"{"contacts":{"2":{"fullname":"b"},"1":null,"0":{"fullname":"a"},"3":"","5":[],"6":{}}}"#,
        r#"{"contacts":{"100000000000":{"fullname":"b"},"-5":{"fullname":"a"}}}"#,
    ] {
        let names: Vec<_> = clean::<ShapesReply>(reply).contacts.into_iter().map(|contact| contact.name).collect();
        assert_eq!(names, ["a", "b"], "{reply}");
    }
    // A key that is an id says nothing about the order.
    let keyed = clean::<ShapesReply>(r#"{"keyed":{"10":{"quantity":2},"9":{"quantity":1}}}"#).keyed;
    assert_eq!(keyed, [line("10", Some(2)), line("9", Some(1))]);
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_is_no_list_is_unreadable_and_never_an_empty_record() {
    for (field, value) in [
        ("contacts", r#"{"total":2}"#),
        ("contacts", r#"{"0":{"fullname":"a"},"total":2}"#),
        ("contacts", r#"{"a":{"fullname":"a"}}"#),
        ("contacts", r#"{"+1":{"fullname":"a"}}"#),
        ("contacts", r#"{"1.0":{"fullname":"a"}}"#),
        ("contacts", r#"{"99999999999999999999":{"fullname":"a"}}"#),
        ("contacts", r#"{"":{"fullname":"a"}}"#),
        ("contacts", r#"{"fullname":"","email":null}"#),
        ("contacts", "false"),
        ("contacts", "true"),
        ("contacts", "0"),
        ("contacts", r#""none""#),
        ("contacts", r#"[[{"fullname":"a"}]]"#),
        ("contacts", r#"{"0":[{"fullname":"a"}]}"#),
        ("tags", r#"{"a":"b"}"#),
        ("tags", "false"),
        ("tags", r#"[["a"]]"#),
        ("numbers", r#"{"first":1}"#),
        ("joined", "false"),
        ("joined", r#"{"a":"b"}"#),
        ("joined_parts", r#"{"fullname":"a"}"#),
        ("keyed", r#"{"5":[{"quantity":1}]}"#),
        ("keyed", r#"{"note":"none"}"#),
        ("switches", "[true]"),
    ] {
        let decoded = decode::<ShapesReply>(&format!(r#"{{"{field}":{value}}}"#));
        assert_eq!(decoded.unreadable.len(), 1, "{field} {value}: {:?}", decoded.unreadable);
        assert!(kept(&decoded.message.extra_fields, field).is_some(), "{field} {value}");
        let rest = ShapesReply { extra_fields: None, ..decoded.message };
        assert_eq!(rest, ShapesReply::default(), "{field} {value}");
    }
}

#[test]
fn one_bad_item_leaves_the_others() {
    let decoded = decode::<ShapesReply>(r#"{"numbers":[1,"x",3],"contacts":[{"email":"e"},"text"]}"#);
    assert_eq!(decoded.message.numbers, [1, 3]);
    assert_eq!(decoded.message.contacts.len(), 1);
    assert_eq!(paths(&decoded.unreadable), ["numbers[1]", "contacts[1]"]);
    assert!(kept(&decoded.message.extra_fields, "numbers").is_some());
}

#[test]
fn what_is_unreadable_inside_is_kept_outside() {
    let decoded = decode::<ShapesReply>(r#"{"contacts":[{"email":"e","primary":"maybe"}],"main_contact":7}"#);
    assert_eq!(paths(&decoded.unreadable), ["contacts[0].primary", "contact"]);
    assert_eq!(decoded.message.contacts[0].email, "e");
    assert!(kept(&decoded.message.extra_fields, "contacts").is_some());
    assert_eq!(kept(&decoded.message.extra_fields, "main_contact"), Some(&text("7")));
}

#[test]
fn joined_and_parted_texts() {
    let message = clean::<ShapesReply>(
        r#"{"joined":"p, q,,r","parted":"a:::a@example.com","joined_parts":"b:::b@example.com:::1///c"}"#,
    );
    let contact = |name: &str, email: &str, primary| Contact { name: name.into(), email: email.into(), primary };
    assert_eq!(message.joined, ["p", "q", "r"]);
    assert_eq!(message.parted, Some(contact("a", "a@example.com", None)));
    assert_eq!(message.joined_parts, [contact("b", "b@example.com", Some(true)), contact("c", "", None)]);
    let decoded = decode::<ShapesReply>(r#"{"parted":"a:::b:::1:::more","joined_parts":"a:::b:::maybe"}"#);
    assert_eq!(paths(&decoded.unreadable), ["parted", "joined_parts[0].primary"]);
    assert!(kept(&decoded.message.extra_fields, "joined_parts").is_some());
}

#[test]
fn maps_of_every_kind() {
    let message = clean::<ShapesReply>(
        r#"{"custom_field_39":"x","custom_field_":"y","custom_field_40":null,"switches":{"a":"yes","b":0},
            "lines":{"k":{"id":1}},"colors":{"c":"dark_red"}}"#,
    );
    let custom = [("", "y"), ("39", "x"), ("40", "")].map(|(key, value)| (key.into(), value.into()));
    assert_eq!(message.custom_fields, BTreeMap::from(custom));
    assert_eq!(message.switches, BTreeMap::from([("a".into(), true), ("b".into(), false)]));
    assert_eq!(message.lines, BTreeMap::from([("k".into(), line("1", None))]));
    assert_eq!(message.colors, BTreeMap::from([("c".into(), 1)]));
    assert_eq!(clean::<ShapesReply>(r#"{"switches":[],"lines":"","colors":null}"#), ShapesReply::default());
    let decoded = decode::<ShapesReply>(r#"{"switches":{"a":"maybe","b":1},"custom_field_1":{"x":1},"lines":"text"}"#);
    assert_eq!(paths(&decoded.unreadable), ["switches", "custom_fields", "lines"]);
    assert_eq!(decoded.message.switches, BTreeMap::from([("b".into(), true)]));
    for key in ["switches", "custom_field_1", "lines"] {
        assert!(kept(&decoded.message.extra_fields, key).is_some(), "{key}");
    }
}

#[test]
fn keyed_records_as_map_list_or_one() {
    let two = vec![line("1", Some(5)), line("2", None)];
    for (reply, expected) in [
        (r#"{"keyed":{"1":{"quantity":5},"2":{}}}"#, two.clone()),
        (r#"{"keyed":{"1":{"id":1,"quantity":5},"2":null}}"#, two.clone()),
        (r#"{"keyed":[{"id":1,"quantity":5},{"id":2}]}"#, two),
        (r#"{"keyed":{"id":1,"quantity":5}}"#, vec![line("1", Some(5))]),
        (r#"{"keyed":[]}"#, vec![]),
    ] {
        assert_eq!(clean::<ShapesReply>(reply).keyed, expected, "{reply}");
    }
}

#[test]
fn the_whole_reply_and_the_rest_of_it() {
    assert_eq!(clean::<WholeReply>(r#"{"id":"7","quantity":1}"#).line, Some(line("7", Some(1))));
    let rest = clean::<RestReply>(r#"{"1":{"quantity":5},"title":"t","2":{"id":"2"}}"#);
    assert_eq!((rest.title.as_str(), rest.lines), ("t", vec![line("1", Some(5)), line("2", None)]));
}

#[test]
fn a_dialect_reads_its_own_words() {
    let arena = Bump::new();
    let reply = br#"{"main_contact":{"displayName":"a","primary":"Y"}}"#;
    let node = json::parse(reply, &arena).expect("JSON");
    let contact = modern().decode::<ShapesReply>(node).message.contact.expect("a contact");
    assert_eq!((contact.name.as_str(), contact.primary), ("a", Some(true)));
}
