//! Forms beside PHP's and Python's own readers and writers.

#![allow(clippy::unwrap_used, reason = "clippy takes only the marked functions of a test program for tests")]

use std::{io::Write, process::Stdio};

use bridge::{
    Node,
    wire::{
        form::{self, Entities, Nesting},
        json,
    },
};
use bumpalo::Bump;
use ispbridge_parts::{PHP, PYTHON, Part};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Map, Value, json};

/// How many forms a program is given at a time.
const CASES: usize = 400;

const PHP_READS: &str = "$out = [];\
    foreach (json_decode(stream_get_contents(STDIN)) as $text) { parse_str($text, $form); $out[] = (object) $form; }\
    echo json_encode($out);";
const PHP_WRITES: &str =
    "echo json_encode(array_map('http_build_query', json_decode(stream_get_contents(STDIN), true)));";
const PYTHON_READS: &str = "import json,sys,urllib.parse as u\n\
    json.dump([u.parse_qsl(t, keep_blank_values=True) for t in json.load(sys.stdin)], sys.stdout)";
const PYTHON_WRITES: &str = "import json,sys,urllib.parse as u\n\
    json.dump([u.urlencode(f, doseq=True) for f in json.load(sys.stdin)], sys.stdout)";

/// What a program answers to a JSON text.
fn answer(program: &Part, option: &str, script: &str, input: &Value) -> Option<Vec<Value>> {
    let mut command = program.command()?;
    let mut child = command.args([option, script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{} failed", program.name);
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn samples<S: Strategy>(strategy: S) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..CASES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Forms whose values are texts, lists and maps that are not empty; a list has the keys 0, 1, 2 in PHP's eyes.
fn forms() -> impl Strategy<Value = Value> {
    let leaf = "\\PC{0,6}|[ &=+%;\\[\\]\"'<>\\r\\n\\t]{1,4}".prop_map(Value::from);
    let value = leaf.prop_recursive(3, 12, 3, |inner| {
        let map = prop::collection::btree_map("[a-z]{1,3}[.é ]?", inner.clone(), 1..4);
        prop_oneof![
            prop::collection::vec(inner, 1..4).prop_map(Value::from),
            map.prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    // PHP changes dots and blanks in the first part of a name.
    prop::collection::btree_map("[a-zA-Z]{1,4}", value, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn node<'t>(value: &'t Value, arena: &'t Bump) -> Node<'t> {
    match value {
        Value::String(text) => Node::Text(text),
        Value::Array(items) => Node::List(arena.alloc_slice_fill_iter(items.iter().map(|item| node(item, arena)))),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| (&**key, node(value, arena)));
            Node::Map(arena.alloc_slice_fill_iter(entries))
        }
        other => panic!("{other} is in no form"),
    }
}

fn written(form: &Value, nesting: Nesting) -> String {
    let (arena, mut out) = (Bump::new(), String::new());
    let Node::Map(entries) = node(form, &arena) else { panic!("{form} is no form") };
    form::write(entries, nesting, &mut out).unwrap();
    out
}

fn read(text: &str) -> Value {
    let (arena, mut out) = (Bump::new(), String::new());
    json::write(form::parse(text, Entities::Kept, &arena).unwrap(), &mut out);
    serde_json::from_str(&out).unwrap()
}

#[test]
fn php_reads_what_we_write() {
    let forms = samples(forms());
    let texts: Vec<_> = forms.iter().map(|form| written(form, Nesting::Brackets)).collect();
    if let Some(answers) = answer(&PHP, "-r", PHP_READS, &json!(texts)) {
        assert_eq!(answers.len(), CASES);
        forms.iter().zip(answers).for_each(|(form, answer)| assert_eq!(*form, answer));
    }
    forms.iter().zip(&texts).for_each(|(form, text)| assert_eq!(*form, read(text), "{text}"));
}

#[test]
fn we_read_what_php_writes() {
    let forms = samples(forms());
    let Some(answers) = answer(&PHP, "-r", PHP_WRITES, &json!(forms)) else { return };
    assert_eq!(answers.len(), CASES);
    forms.iter().zip(answers).for_each(|(form, text)| assert_eq!(*form, read(text.as_str().unwrap())));
}

#[test]
fn we_read_names_as_php_does() {
    let key = prop::sample::select(vec!["", "0", "1", "2", "7", "01", "x", "a.b", "%5Bq", "é"]);
    let keys = prop::collection::vec(key, 0..4);
    let pair = ("[ab]", keys, "[a-z0-9+]{0,2}").prop_map(|(name, keys, value)| {
        let keys: String = keys.iter().map(|key| format!("[{key}]")).collect();
        format!("{name}{keys}={value}")
    });
    let texts: Vec<_> = samples(prop::collection::vec(pair, 0..6)).iter().map(|pairs| pairs.join("&")).collect();
    let Some(answers) = answer(&PHP, "-r", PHP_READS, &json!(texts)) else { return };
    assert_eq!(answers.len(), CASES);
    texts.iter().zip(answers).for_each(|(text, answer)| assert_eq!(read(text), answer, "{text}"));
}

#[test]
fn python_reads_and_writes_the_same_pairs() {
    let list = prop::collection::vec("\\PC{0,6}|[ &=+%;]{1,4}", 1..4).prop_map(|items| json!(items));
    let form = prop::collection::btree_map("\\PC{1,5}", list, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>()));
    let forms = samples(form);
    let texts: Vec<_> = forms.iter().map(|form| written(form, Nesting::Repeated)).collect();
    let Some(read) = answer(&PYTHON, "-c", PYTHON_READS, &json!(texts)) else { return };
    let pairs = |form: &Value| -> Vec<Value> {
        let entries = form.as_object().unwrap().iter();
        entries
            .flat_map(|(name, items)| items.as_array().unwrap().iter().map(move |item| json!([name, item])))
            .collect()
    };
    assert_eq!(read.len(), CASES);
    forms.iter().zip(read).for_each(|(form, answer)| assert_eq!(Value::from(pairs(form)), answer));
    let by_python = answer(&PYTHON, "-c", PYTHON_WRITES, &json!(forms)).unwrap();
    let by_python = by_python.iter().map(|text| pairs_of(text.as_str().unwrap()));
    forms.iter().zip(by_python).for_each(|(form, answer)| assert_eq!(pairs(form), answer));
}

/// The pairs of a form, as the reader of forms takes them from the text.
fn pairs_of(text: &str) -> Vec<Value> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair| {
        let (name, value) = read(pair).as_object().unwrap().iter().next().map(|(n, v)| (n.clone(), v.clone())).unwrap();
        json!([name, value])
    };
    pairs.map(pair).collect()
}
