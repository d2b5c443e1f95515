//! Every list format with every value format and every type: what builds is the same after it was written and read, what
//! cannot work does not build.

#![allow(clippy::unwrap_used, reason = "clippy takes only the marked functions of a test program for tests")]

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::OnceLock,
};

use bridge::{
    Node,
    table::{Tables, TextRule, Vocabulary},
    wire::{
        form::{self, Entities, Nesting},
        json,
    },
};
use bumpalo::Bump;
use proptest::{collection, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, MessageDescriptor, ReflectMessage, Value, prost::Message};

/// How many messages of each combination go there and back.
const CASES: usize = 24;

const KINDS: [(&str, &str); 11] = [
    ("text", "string"),
    ("bytes", "bytes"),
    ("bool", "bool"),
    ("integer", "int64"),
    ("double", "double"),
    ("enum", "Color"),
    ("record", "Line"),
    ("date", "google.type.Date"),
    ("datetime", "google.type.DateTime"),
    ("timestamp", "google.protobuf.Timestamp"),
    ("struct", "google.protobuf.Struct"),
];

const SHAPES: [&str; 3] = ["one", "many", "map"];

const LISTS: [&str; 6] = ["plain", "joined ,", "array", "numbered", "numbered 1", "keyed id"];

const VALUES: [&str; 16] = [
    "text",
    "number",
    "boolean Yes/No",
    "boolean Y/",
    "flag",
    "flag ON",
    "date YYYY-MM-DD",
    "date DD/MM/YYYY",
    "epoch",
    "base64",
    "base64 url",
    "parts :::",
    "whole",
    "json",
    "form",
    "xml",
];

/// A field's name upstream: of its own, or the beginning of several.
const NAMES: [&str; 2] = ["field", "select*"];

#[derive(Clone, Copy, Debug)]
struct Combination {
    kind: usize,
    shape: usize,
    list: &'static str,
    value: &'static str,
    name: &'static str,
}

impl Combination {
    fn all() -> impl Iterator<Item = Self> {
        let shapes = (0..KINDS.len()).flat_map(|kind| (0..SHAPES.len()).map(move |shape| (kind, shape)));
        shapes.flat_map(|(kind, shape)| {
            let lists = LISTS.iter().flat_map(|list| VALUES.iter().map(move |value| (*list, *value)));
            lists.flat_map(move |(list, value)| NAMES.map(|name| Self { kind, shape, list, value, name }))
        })
    }

    fn message(self) -> String {
        let (kind, shape) = (KINDS[self.kind].0, SHAPES[self.shape]);
        format!("{}{}{}", shape[..1].to_uppercase(), &shape[1..], kind[..1].to_uppercase() + &kind[1..])
    }

    fn vocabulary(self) -> String {
        let Self { list, value, name, .. } = self;
        format!("[message.{}]\nfield = {{ name = {name:?}, list = {list:?}, format = {value:?} }}", self.message())
    }

    fn tables(self) -> Result<Tables, String> {
        let vocabulary = Vocabulary::parse(&self.vocabulary()).unwrap();
        Tables::build(descriptors(self.kind), "formats.v1", &vocabulary, None, TextRule::Any)
            .map_err(|error| error.to_string())
    }
}

/// A contract with a message for each shape of a type.
fn contract(kind: usize) -> String {
    let of = KINDS[kind].1;
    let import = match of {
        "google.protobuf.Struct" => "import \"google/protobuf/struct.proto\";\n",
        "google.protobuf.Timestamp" => "import \"google/protobuf/timestamp.proto\";\n",
        "google.type.Date" => "import \"google/type/date.proto\";\n",
        "google.type.DateTime" => "import \"google/type/datetime.proto\";\n",
        _ => "",
    };
    let mut out = format!("syntax = \"proto3\";\npackage formats.v1;\n{import}");
    out += "enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; COLOR_GREEN = 2; }\n";
    out += "message Line { string id = 1; optional int32 quantity = 2; optional bool open = 3; }\n";
    let mut methods = String::new();
    for (shape, label) in ["optional ", "repeated ", "map"].iter().enumerate() {
        let message = Combination { kind, shape, list: "", value: "", name: "" }.message();
        let of = if *label == "map" { format!("map<string, {of}>") } else { format!("{label}{of}") };
        out += &format!("message {message} {{ {of} field = 1; }}\n");
        methods += &format!("  rpc {message}({message}) returns ({message});\n");
    }
    out + &format!("service Formats {{\n{methods}}}\n")
}

fn descriptors(kind: usize) -> &'static [u8] {
    static COMPILED: [OnceLock<Vec<u8>>; KINDS.len()] = [const { OnceLock::new() }; KINDS.len()];
    COMPILED[kind].get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("formats-{}-{kind}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("formats.proto"), contract(kind)).unwrap();
        let third_party = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../proto/third_party");
        let mut compiler = protox::Compiler::new([folder.clone(), third_party]).unwrap();
        compiler.include_imports(true).open_files(["formats.proto"]).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        compiler.encode_file_descriptor_set()
    })
}

fn descriptor(kind: usize, name: &str) -> MessageDescriptor {
    static POOLS: [OnceLock<DescriptorPool>; KINDS.len()] = [const { OnceLock::new() }; KINDS.len()];
    let pool = POOLS[kind].get_or_init(|| DescriptorPool::decode(descriptors(kind)).unwrap());
    let known = [format!("formats.v1.{name}"), name.to_owned()];
    known.iter().find_map(|name| pool.get_message_by_name(name)).unwrap()
}

fn message(kind: usize, name: &str, fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let mut message = DynamicMessage::new(descriptor(kind, name));
    fields.into_iter().for_each(|(name, value)| message.set_field_by_name(name, value));
    Value::Message(message)
}

/// What a text upstream cannot say is left out: an empty one is absent, one in a joined text has no blanks around it.
fn text() -> BoxedStrategy<String> {
    prop_oneof!["[ -~]{1,8}", "\\PC{1,6}", "[,/:&=%\"'{}\\[\\]+;\\\\]{1,4}", "[a-z]{1,3}"]
        .prop_map(|text| text.trim().to_owned())
        .prop_filter("not empty", |text| !text.is_empty())
        .boxed()
}

fn date() -> impl Strategy<Value = [i32; 3]> {
    (1..=9999, 1..=12, 1..=28).prop_map(|(year, month, day)| [year, month, day])
}

fn line(kind: usize, id: String, quantity: Option<i32>, open: Option<bool>) -> Value {
    let quantity = quantity.map(|quantity| ("quantity", Value::I32(quantity)));
    let open = open.map(|open| ("open", Value::Bool(open)));
    message(kind, "Line", [("id", Value::String(id))].into_iter().chain(quantity).chain(open))
}

fn structure(kind: usize, fields: BTreeMap<String, Vec<String>>) -> Value {
    let text = |text: String| message(kind, "google.protobuf.Value", [("string_value", Value::String(text))]);
    let list = |texts: Vec<String>| {
        let values = Value::List(texts.into_iter().map(text).collect());
        let list = message(kind, "google.protobuf.ListValue", [("values", values)]);
        message(kind, "google.protobuf.Value", [("list_value", list)])
    };
    let fields = fields.into_iter().map(|(key, texts)| (MapKey::String(key), list(texts)));
    message(kind, "google.protobuf.Struct", [("fields", Value::Map(fields.collect()))])
}

/// Values of a type that mean something: nothing absent, no fraction of a second, which the upstream's texts cannot say.
fn value(combination: Combination) -> BoxedStrategy<Value> {
    let kind = combination.kind;
    match KINDS[kind].0 {
        "text" if combination.value == "number" => {
            "-?(0|[1-9][0-9]{0,12})(\\.[0-9]{1,4})?".prop_map(Value::String).boxed()
        }
        "text" => text().prop_map(Value::String).boxed(),
        "bytes" => collection::vec(any::<u8>(), 1..20).prop_map(|bytes| Value::Bytes(bytes.into())).boxed(),
        "bool" if combination.shape == 0 && combination.value != "text" && combination.value != "boolean Yes/No" => {
            Just(Value::Bool(true)).boxed()
        }
        "bool" => any::<bool>().prop_map(Value::Bool).boxed(),
        "integer" => any::<i64>().prop_map(Value::I64).boxed(),
        "double" => any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::F64).boxed(),
        "enum" => (1..3).prop_map(Value::EnumNumber).boxed(),
        "record" => (text(), any::<Option<i32>>(), any::<Option<bool>>())
            .prop_map(move |(id, quantity, open)| line(kind, id, quantity, open))
            .boxed(),
        "date" => date()
            .prop_map(move |date| message(kind, "google.type.Date", named(["year", "month", "day"], date)))
            .boxed(),
        "datetime" => (date(), 0..24, 1..60, 0..60)
            .prop_map(move |(date, hours, minutes, seconds)| {
                let clock = named(["hours", "minutes", "seconds"], [hours, minutes, seconds]);
                message(kind, "google.type.DateTime", named(["year", "month", "day"], date).chain(clock))
            })
            .boxed(),
        "timestamp" => (-60_000_000_000..250_000_000_000i64)
            .prop_map(move |seconds| message(kind, "google.protobuf.Timestamp", [("seconds", Value::I64(seconds))]))
            .boxed(),
        "struct" => {
            let texts = collection::vec(text(), 1..3);
            collection::btree_map("[a-z][a-z.é ]{0,3}", texts, 1..3)
                .prop_map(move |fields| structure(kind, fields))
                .boxed()
        }
        other => panic!("no values of {other}"),
    }
}

fn named<const N: usize>(names: [&'static str; N], numbers: [i32; N]) -> impl Iterator<Item = (&'static str, Value)> {
    names.into_iter().zip(numbers.map(Value::I32))
}

fn field(combination: Combination) -> BoxedStrategy<Value> {
    let value = value(combination);
    match SHAPES[combination.shape] {
        "one" => value,
        "many" => collection::vec(value, 1..4).prop_map(Value::List).boxed(),
        _ => {
            // Keys that are all whole numbers are those of a list, where the vocabulary does not say otherwise.
            let key = if combination.list == "numbered" { "[0-9]{1,4}" } else { "[a-z_][a-z0-9_.]{0,5}" };
            let entries = collection::hash_map(key.prop_map(MapKey::String), value, 1..4);
            entries.prop_map(|entries: HashMap<_, _>| Value::Map(entries)).boxed()
        }
    }
}

/// What there is to write: the bytes of a message, without a Rust type.
fn sample(combination: Combination, runner: &mut TestRunner) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor(combination.kind, &combination.message()));
    message.set_field_by_name("field", field(combination).new_tree(runner).unwrap().current());
    message
}

fn over_json<'t>(node: Node<'_>, arena: &'t Bump) -> Node<'t> {
    let mut text = String::new();
    json::write(node, &mut text);
    json::parse(arena.alloc_str(&text).as_bytes(), arena).unwrap()
}

fn over_form<'t>(node: Node<'_>, arena: &'t Bump) -> Option<Node<'t>> {
    let (mut text, Node::Map(entries)) = (String::new(), node) else { panic!("a record") };
    form::write(entries, Nesting::Brackets, &mut text).ok()?;
    Some(form::parse(&text, Entities::Kept, arena).unwrap())
}

/// Whether a message can be written at all; if it can, it must be the same after it was read.
///
/// # Errors
/// What differs.
fn goes_there_and_back(combination: Combination, tables: &Tables, sent: &DynamicMessage) -> Result<bool, String> {
    let (bytes, arena) = (sent.encode_to_vec(), Bump::new());
    let Ok(node) = tables.encode_bytes(&combination.message(), &bytes, &arena) else { return Ok(false) };
    for reply in [Some(over_json(node, &arena)), over_form(node, &arena)].into_iter().flatten() {
        let decoded = tables.decode_bytes(&combination.message(), reply);
        let received = DynamicMessage::decode(sent.descriptor(), decoded.message.as_slice()).unwrap();
        let sent = DynamicMessage::decode(sent.descriptor(), bytes.as_slice()).unwrap();
        if !decoded.unreadable.is_empty() || !decoded.missing.is_empty() || received != sent {
            return Err(format!(
                "{combination:?}\n sent {sent}\n as {node:?}\n over {reply:?}\n got {received}\n {:?}",
                decoded.unreadable
            ));
        }
    }
    Ok(true)
}

#[test]
fn what_builds_is_the_same_after_it_was_written_and_read() {
    let mut runner = TestRunner::deterministic();
    let (mut built, mut faults) = (0, Vec::new());
    for combination in Combination::all() {
        let Ok(tables) = combination.tables() else { continue };
        built += 1;
        let cases = (0..CASES).map(|_| goes_there_and_back(combination, &tables, &sample(combination, &mut runner)));
        match cases.collect::<Result<Vec<_>, _>>() {
            Err(fault) => faults.push(fault),
            Ok(written) => {
                let written = written.into_iter().filter(|written| *written).count();
                // A text of several values refuses one that contains its separator, as most JSON does.
                let has_separators = combination.list.starts_with("joined") || combination.value == "parts :::";
                // Two records cannot stand under one key.
                let least = if combination.list == "keyed id" { CASES - 3 } else { CASES };
                if written < least && !has_separators {
                    faults.push(format!("{combination:?}: {written} of {CASES} can be written"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} of {built}\n{}", faults.len(), faults.join("\n"));
}

/// What builds and what does not, a line for each type, shape and value format of which anything does.
fn overview() -> String {
    let mut lines = BTreeMap::<String, [Vec<String>; 2]>::new();
    for combination in Combination::all() {
        let Combination { kind, shape, list, value, name } = combination;
        let list = if name == NAMES[0] { list.to_owned() } else { format!("{name} {list}") };
        let line = lines.entry(format!("{} {}, {value}", SHAPES[shape], KINDS[kind].0)).or_default();
        line[usize::from(combination.tables().is_err())].push(list);
    }
    let built = lines.iter().filter(|(_, [built, _])| !built.is_empty());
    built.map(|(of, [built, refused])| format!("{of}: {}; not {}\n", built.join(", "), refused.join(", "))).collect()
}

#[test]
fn what_does_not_build_is_listed() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, overview()).unwrap();
    }
    assert_eq!(overview(), std::fs::read_to_string(file).unwrap(), "with UPDATE=1 the file is written again");
}

#[test]
fn a_refusal_names_the_field_and_says_why() {
    for (kind, shape, list, value, name, expected) in [
        (2, 1, "plain", "flag ON", "field", "a flag that is off is not sent"),
        (2, 1, "array", "boolean Y/", "field", "an empty spelling reads as absent"),
        (6, 1, "joined ,", "text", "field", "the values are no texts"),
        (6, 1, "plain", "whole", "field", "only one record can be the whole"),
        (0, 1, "plain", "date YYYY-MM-DD", "field", "does not fit the field's type"),
        (7, 1, "plain", "text", "field", "does not fit the field's type"),
        (0, 0, "array", "text", "field", "Array does not fit"),
        (0, 1, "joined ,", "text", "select*", "must be numbered or keyed"),
        (0, 0, "plain", "text", "select*", "and the field has one"),
        (1, 0, "plain", "text", "field", "the format must be base64"),
        (6, 1, "keyed nope", "text", "field", "Line has no field nope"),
        (6, 1, "parts :::", "text", "field", "is no list's format"),
        (6, 1, "joined ,", "array", "field", "list and format both say"),
        (0, 1, "numbered x", "text", "field", "\"numbered x\" is not a format"),
    ] {
        let combination = Combination { kind, shape, list, value, name };
        let error = combination.tables().map(|_| ()).unwrap_err();
        assert!(error.contains(expected) && error.contains(&format!("{}.field", combination.message())), "{error}");
    }
}
