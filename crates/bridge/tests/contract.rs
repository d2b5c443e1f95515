//! The test contract of `contract/sample/v1`: its tables, and its messages as prost makes them.

use std::{collections::BTreeMap, path::PathBuf, sync::OnceLock};

use bridge::table::{Tables, TextRule, Vocabulary};
use prost::{Message, Name};
pub(crate) use prost_types::{Struct, Timestamp, Value, value::Kind};

const VOCABULARY: &str = include_str!("contract/vocabulary.toml");

/// The contract's descriptors, compiled once.
pub(crate) fn descriptors() -> &'static [u8] {
    static COMPILED: OnceLock<Vec<u8>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let protos = folder.join("../../proto");
        let mut compiler =
            protox::Compiler::new([folder.join("tests/contract"), protos.clone(), protos.join("third_party")])
                .expect("the folders exist");
        let files = ["sample/v1/sample.proto", "sample/v1/wrong.proto"];
        compiler.include_imports(true).open_files(files).expect("the contracts compile");
        compiler.encode_file_descriptor_set()
    })
}

/// The tables by a vocabulary of the test's own.
pub(crate) fn tables_by(vocabulary: &str, dialect: Option<&str>, text: TextRule) -> Result<Tables, String> {
    let vocabulary = Vocabulary::parse(vocabulary).map_err(|error| error.to_string())?;
    Tables::build(descriptors(), "sample.v1", &vocabulary, dialect, text).map_err(|error| error.to_string())
}

/// The tables of the contract.
pub(crate) fn tables(text: TextRule) -> &'static Tables {
    static ANY: OnceLock<Tables> = OnceLock::new();
    static XML: OnceLock<Tables> = OnceLock::new();
    let place = if text == TextRule::Any { &ANY } else { &XML };
    place.get_or_init(|| tables_by(VOCABULARY, None, text).expect("the vocabulary fits"))
}

/// Tables for a value of one's own.
pub(crate) fn fresh_tables() -> Tables {
    tables_by(VOCABULARY, None, TextRule::Any).expect("the vocabulary fits")
}

/// The tables of the dialect `modern`.
pub(crate) fn modern() -> Tables {
    tables_by(VOCABULARY, Some("modern"), TextRule::Any).expect("the vocabulary fits")
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Date {
    #[prost(int32, tag = "1")]
    pub(crate) year: i32,
    #[prost(int32, tag = "2")]
    pub(crate) month: i32,
    #[prost(int32, tag = "3")]
    pub(crate) day: i32,
}

pub(crate) const fn date(year: i32, month: i32, day: i32) -> Date {
    Date { year, month, day }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DateTime {
    #[prost(int32, tag = "1")]
    pub(crate) year: i32,
    #[prost(int32, tag = "2")]
    pub(crate) month: i32,
    #[prost(int32, tag = "3")]
    pub(crate) day: i32,
    #[prost(int32, tag = "4")]
    pub(crate) hours: i32,
    #[prost(int32, tag = "5")]
    pub(crate) minutes: i32,
    #[prost(int32, tag = "6")]
    pub(crate) seconds: i32,
    #[prost(int32, tag = "7")]
    pub(crate) nanos: i32,
    #[prost(message, optional, tag = "8")]
    pub(crate) utc_offset: Option<prost_types::Duration>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Element {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) attributes: Vec<Attribute>,
    #[prost(string, tag = "3")]
    pub(crate) text: String,
    #[prost(message, repeated, tag = "4")]
    pub(crate) children: Vec<Element>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribute {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Contact {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) email: String,
    #[prost(bool, optional, tag = "3")]
    pub(crate) primary: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Line {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(int32, optional, tag = "2")]
    pub(crate) quantity: Option<i32>,
}

pub(crate) fn line(id: &str, quantity: Option<i32>) -> Line {
    Line { id: id.to_owned(), quantity }
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Target {
    #[prost(string, tag = "15")]
    Username(String),
    #[prost(int64, tag = "16")]
    AccountId(i64),
}

/// A message of one direction: the same fields twice, because requests and replies have other names.
macro_rules! message {
    ($name:ident { $($body:tt)* }) => {
        #[derive(Clone, PartialEq, Message)]
        pub(crate) struct $name { $($body)* }

        impl Name for $name {
            const NAME: &'static str = stringify!($name);
            const PACKAGE: &'static str = "sample.v1";
        }
    };
}

message!(ScalarsRequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, optional, tag = "2")]
    pub(crate) note: Option<String>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) plain: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    pub(crate) spelled: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub(crate) flag: Option<bool>,
    #[prost(int32, optional, tag = "6")]
    pub(crate) small: Option<i32>,
    #[prost(int64, optional, tag = "7")]
    pub(crate) large: Option<i64>,
    #[prost(uint64, optional, tag = "8")]
    pub(crate) unsigned: Option<u64>,
    #[prost(double, optional, tag = "9")]
    pub(crate) ratio: Option<f64>,
    #[prost(float, optional, tag = "10")]
    pub(crate) weight: Option<f32>,
    #[prost(string, optional, tag = "11")]
    pub(crate) amount: Option<String>,
    #[prost(int32, tag = "12")]
    pub(crate) color: i32,
    #[prost(message, optional, tag = "13")]
    pub(crate) iso: Option<Date>,
    #[prost(message, optional, tag = "14")]
    pub(crate) american: Option<Date>,
    #[prost(message, optional, tag = "15")]
    pub(crate) british: Option<Date>,
    #[prost(message, optional, tag = "16")]
    pub(crate) local: Option<DateTime>,
    #[prost(message, optional, tag = "17")]
    pub(crate) moment: Option<Timestamp>,
    #[prost(message, optional, tag = "18")]
    pub(crate) epoch: Option<Timestamp>,
});

message!(ScalarsReply {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, optional, tag = "2")]
    pub(crate) note: Option<String>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) plain: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    pub(crate) spelled: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub(crate) flag: Option<bool>,
    #[prost(int32, optional, tag = "6")]
    pub(crate) small: Option<i32>,
    #[prost(int64, optional, tag = "7")]
    pub(crate) large: Option<i64>,
    #[prost(uint64, optional, tag = "8")]
    pub(crate) unsigned: Option<u64>,
    #[prost(double, optional, tag = "9")]
    pub(crate) ratio: Option<f64>,
    #[prost(float, optional, tag = "10")]
    pub(crate) weight: Option<f32>,
    #[prost(string, optional, tag = "11")]
    pub(crate) amount: Option<String>,
    #[prost(int32, tag = "12")]
    pub(crate) color: i32,
    #[prost(message, optional, tag = "13")]
    pub(crate) iso: Option<Date>,
    #[prost(message, optional, tag = "14")]
    pub(crate) american: Option<Date>,
    #[prost(message, optional, tag = "15")]
    pub(crate) british: Option<Date>,
    #[prost(message, optional, tag = "16")]
    pub(crate) local: Option<DateTime>,
    #[prost(message, optional, tag = "17")]
    pub(crate) moment: Option<Timestamp>,
    #[prost(message, optional, tag = "18")]
    pub(crate) epoch: Option<Timestamp>,
    #[prost(message, optional, tag = "100")]
    pub(crate) extra_fields: Option<Struct>,
});

message!(ShapesRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) contact: Option<Contact>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) contacts: Vec<Contact>,
    #[prost(string, repeated, tag = "3")]
    pub(crate) tags: Vec<String>,
    #[prost(int32, repeated, tag = "4")]
    pub(crate) numbers: Vec<i32>,
    #[prost(double, repeated, tag = "5")]
    pub(crate) ratios: Vec<f64>,
    #[prost(string, repeated, tag = "6")]
    pub(crate) joined: Vec<String>,
    #[prost(message, optional, tag = "7")]
    pub(crate) parted: Option<Contact>,
    #[prost(message, repeated, tag = "8")]
    pub(crate) joined_parts: Vec<Contact>,
    #[prost(btree_map = "string, string", tag = "9")]
    pub(crate) custom_fields: BTreeMap<String, String>,
    #[prost(btree_map = "string, bool", tag = "10")]
    pub(crate) switches: BTreeMap<String, bool>,
    #[prost(btree_map = "string, message", tag = "11")]
    pub(crate) lines: BTreeMap<String, Line>,
    #[prost(message, optional, tag = "12")]
    pub(crate) settings: Option<Struct>,
    #[prost(message, optional, tag = "13")]
    pub(crate) settings_text: Option<Struct>,
    #[prost(message, optional, tag = "14")]
    pub(crate) line_text: Option<Line>,
    #[prost(oneof = "Target", tags = "15, 16")]
    pub(crate) target: Option<Target>,
});

message!(ShapesReply {
    #[prost(message, optional, tag = "1")]
    pub(crate) contact: Option<Contact>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) contacts: Vec<Contact>,
    #[prost(string, repeated, tag = "3")]
    pub(crate) tags: Vec<String>,
    #[prost(int32, repeated, tag = "4")]
    pub(crate) numbers: Vec<i32>,
    #[prost(double, repeated, tag = "5")]
    pub(crate) ratios: Vec<f64>,
    #[prost(string, repeated, tag = "6")]
    pub(crate) joined: Vec<String>,
    #[prost(message, optional, tag = "7")]
    pub(crate) parted: Option<Contact>,
    #[prost(message, repeated, tag = "8")]
    pub(crate) joined_parts: Vec<Contact>,
    #[prost(btree_map = "string, string", tag = "9")]
    pub(crate) custom_fields: BTreeMap<String, String>,
    #[prost(btree_map = "string, bool", tag = "10")]
    pub(crate) switches: BTreeMap<String, bool>,
    #[prost(btree_map = "string, message", tag = "11")]
    pub(crate) lines: BTreeMap<String, Line>,
    #[prost(message, optional, tag = "12")]
    pub(crate) settings: Option<Struct>,
    #[prost(message, optional, tag = "13")]
    pub(crate) settings_text: Option<Struct>,
    #[prost(message, optional, tag = "14")]
    pub(crate) line_text: Option<Line>,
    #[prost(oneof = "Target", tags = "15, 16")]
    pub(crate) target: Option<Target>,
    #[prost(message, repeated, tag = "17")]
    pub(crate) keyed: Vec<Line>,
    #[prost(message, optional, tag = "18")]
    pub(crate) markup: Option<Element>,
    #[prost(message, optional, tag = "19")]
    pub(crate) tree: Option<Element>,
    #[prost(btree_map = "string, int32", tag = "20")]
    pub(crate) colors: BTreeMap<String, i32>,
    #[prost(message, optional, tag = "100")]
    pub(crate) extra_fields: Option<Struct>,
});

message!(WholeReply {
    #[prost(message, optional, tag = "1")]
    pub(crate) line: Option<Line>,
});

message!(RestReply {
    #[prost(string, tag = "1")]
    pub(crate) title: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) lines: Vec<Line>,
});

message!(TextsRequest {
    #[prost(string, tag = "1")]
    pub(crate) first: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) several: Vec<String>,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(crate) custom_fields: BTreeMap<String, String>,
    #[prost(message, optional, tag = "4")]
    pub(crate) contact: Option<Contact>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) contacts: Vec<Contact>,
});

message!(TextsReply {
    #[prost(string, tag = "1")]
    pub(crate) first: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) several: Vec<String>,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(crate) custom_fields: BTreeMap<String, String>,
    #[prost(message, optional, tag = "4")]
    pub(crate) contact: Option<Contact>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) contacts: Vec<Contact>,
    #[prost(message, optional, tag = "100")]
    pub(crate) extra_fields: Option<Struct>,
});

#[test]
fn a_probe_is_a_read_of_the_same_package() {
    assert_eq!(tables(TextRule::Any).probe::<ScalarsRequest>().as_deref(), Some("SampleService/Rest"));
    let wrong = Tables::build(descriptors(), "wrong.v1", &Vocabulary::default(), None, TextRule::Any);
    let error = wrong.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("WrongService/Add: its probe WrongService/Remove must be a read of wrong.v1"), "{error}");
}
