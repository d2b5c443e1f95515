//! Replies of SOAP: the answer among the elements of a body, faults of both versions, values and references.

use std::cell::{Cell, OnceCell};

use bumpalo::{Bump, collections::Vec as BumpVec};
use rustc_hash::FxHashMap;

use crate::{
    node::Node,
    wire::{Envelope, Gather, LastOfEach, ProtocolFault, WireError, base64_node, base64_text, names, text_node},
    xml::{
        document::{self, Element, Limits},
        unescape::unescaped,
    },
};

/// How often a server escapes the one text that it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escapes {
    /// As XML wants it.
    #[default]
    Once,
    /// Once more: `&amp;lt;` for `<`, or base64 of `&lt;`.
    Twice,
}

impl Escapes {
    /// What the server does that names itself so in the header `SOAPServer`: SOAP::Lite from 0.70_07 to 0.710.06 escapes
    /// results and fault texts before it writes them, yet not what is inside a struct or an array (its source, "called
    /// incorrectly in envelope"; captures `soap-perl-old`). Up to 0.71 these versions call themselves 0.70_04.
    #[must_use]
    pub fn of_server(name: &str) -> Self {
        let version = name.strip_prefix("SOAP::Lite/Perl/").unwrap_or("");
        let patch = version.strip_prefix("0.710.").and_then(|patch| patch.parse().ok());
        let twice = version.starts_with("0.70_") || patch.is_some_and(|patch: u8| patch <= 6);
        if twice { Escapes::Twice } else { Escapes::Once }
    }

    /// The text that is meant.
    fn resolve<'t>(self, text: &'t str, arena: &'t Bump) -> &'t str {
        match self {
            Escapes::Once => text,
            Escapes::Twice => unescaped(text, arena).unwrap_or(text),
        }
    }
}

/// Reads a reply to `method`. The first child of the response element is the value, whatever its name:
/// SOAP::Lite names it `s-gensymN` with a number that grows.
///
/// # Errors
/// [`WireError`] when the text is not a SOAP reply to that method.
pub fn parse_reply<'t>(
    text: &'t str,
    method: &str,
    escapes: Escapes,
    limits: &Limits,
    arena: &'t Bump,
) -> Result<Envelope<'t>, WireError> {
    parse(text, method, escapes, limits, arena, |answer, reader| {
        let value = answer.children.first().map_or(Ok(Node::Null), |value| reader.read(value, 0))?;
        Ok(match value {
            Node::Text(text) => Node::Text(escapes.resolve(text, arena)),
            Node::Unreadable(text) => Node::Unreadable(escapes.resolve(text, arena)),
            other => other,
        })
    })
}

/// Reads a reply to `method` that has any number of outputs: a map of the response element's children. An output that comes
/// again makes a list of its values.
///
/// # Errors
/// As [`parse_reply`].
pub fn parse_outputs<'t>(
    text: &'t str,
    method: &str,
    limits: &Limits,
    arena: &'t Bump,
) -> Result<Envelope<'t>, WireError> {
    parse(text, method, Escapes::Once, limits, arena, |answer, reader| reader.record(answer, 0))
}

fn parse<'t>(
    text: &'t str,
    method: &str,
    escapes: Escapes,
    limits: &Limits,
    arena: &'t Bump,
    value: impl FnOnce(&Element<'t>, &ValueReader<'_, 't, '_>) -> Result<Node<'t>, WireError>,
) -> Result<Envelope<'t>, WireError> {
    let envelope = document::parse(text, limits, arena)?;
    if envelope.local_name() != "Envelope" {
        return Err(WireError::Envelope("the document element is not a SOAP envelope"));
    }
    let body = envelope.child("Body").ok_or(WireError::Envelope("the envelope has no body"))?;
    let answer = answer(body, method)?;
    if answer.local_name() == FAULT {
        return Ok(Envelope::Fault(fault(answer, escapes, arena)));
    }
    if !is_answer(answer, method) {
        return Err(WireError::Envelope("the body answers another method"));
    }
    let reader = ValueReader { envelope: &envelope, arena, limits, ids: OnceCell::new(), values: Cell::new(0) };
    value(answer, &reader).map(Envelope::Value)
}

const FAULT: &str = "Fault";

/// The element of a body that answers. What references point at may stand before it (SOAP 1.1, 5.1).
fn answer<'e, 't>(body: &'e Element<'t>, method: &str) -> Result<&'e Element<'t>, WireError> {
    let is_target = |child: &Element<'_>| child.attribute("id").is_some() || child.attribute("root") == Some("0");
    let mut children = body.children.iter();
    let found = children.find(|child| is_answer(child, method) || child.local_name() == FAULT || !is_target(child));
    found.ok_or(WireError::Envelope("the body has no answer"))
}

fn is_answer(element: &Element<'_>, method: &str) -> bool {
    element.local_name().strip_suffix("Response") == Some(method)
}

/// A fault of SOAP 1.1, or of 1.2, whose subcodes stand behind dots here, as 1.1 writes them (SOAP 1.2 part 1, 5.4).
fn fault<'t>(fault: &Element<'t>, escapes: Escapes, arena: &'t Bump) -> ProtocolFault<'t> {
    let old = |name| fault.child(name).map(|child| child.text.trim());
    let code = old("faultcode").map(without_prefix).or_else(|| Some(codes(fault.child("Code")?, arena))).unwrap_or("");
    let reasons = || fault.child("Reason").into_iter().flat_map(|reason| reason.children);
    let text = old("faultstring").or_else(|| reasons().map(|reason| reason.text.trim()).find(|text| !text.is_empty()));
    let text = escapes.resolve(text.unwrap_or(""), arena);
    let detail = fault.child("detail").or_else(|| fault.child("Detail")).filter(|_| text.is_empty());
    let mut words = Vec::new();
    detail.into_iter().for_each(|detail| collect_words(detail, arena, &mut words));
    ProtocolFault { code, text, detail: arena.alloc_str(&words.join(" ")) }
}

fn codes<'t>(code: &Element<'t>, arena: &'t Bump) -> &'t str {
    let mut codes = Vec::new();
    let mut next = Some(code);
    while let Some(code) = next {
        codes.extend(code.child("Value").map(|value| without_prefix(value.text.trim())));
        next = code.child("Subcode");
    }
    arena.alloc_str(&codes.join("."))
}

fn without_prefix(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

/// All texts of an element and of those inside, in order.
fn collect_words<'t>(element: &Element<'t>, arena: &'t Bump, words: &mut Vec<&'t str>) {
    let text = if is_base64(kind(element)) { base64_text(element.text, arena).unwrap_or("") } else { element.text };
    words.extend(Some(text.trim()).filter(|text| !text.is_empty()));
    element.children.iter().for_each(|child| collect_words(child, arena, words));
}

/// The type that an element says it has.
fn kind<'t>(element: &Element<'t>) -> &'t str {
    element.attribute("type").map_or("", without_prefix)
}

fn is_base64(kind: &str) -> bool {
    matches!(kind, "base64" | "base64Binary")
}

struct ValueReader<'e, 't, 'l> {
    envelope: &'e Element<'t>,
    arena: &'t Bump,
    limits: &'l Limits,
    /// What references point at, by its id; made with the first reference.
    ids: OnceCell<FxHashMap<&'t str, &'e Element<'t>>>,
    /// Values read so far: with references a short reply could mean a tree without bounds.
    values: Cell<usize>,
}

impl<'e, 't> ValueReader<'e, 't, '_> {
    /// References followed at most: a reply that refers to itself has no end.
    const MAX_DEPTH: usize = 64;

    /// Reads a value. The type is a guess of the server about the text, so only base64, maps and arrays
    /// are looked at (azotel.md 2.3).
    fn read(&self, element: &Element<'t>, depth: usize) -> Result<Node<'t>, WireError> {
        if depth > Self::MAX_DEPTH {
            return Err(WireError::Envelope("references that do not end"));
        }
        self.count(1)?;
        if let Some(target) = referred(element) {
            return match self.target(target) {
                Some(target) => self.read(target, depth + 1),
                None => Ok(Node::Unreadable(target)),
            };
        }
        if element.attribute("nil").or_else(|| element.attribute("null")).is_some_and(|nil| matches!(nil, "true" | "1"))
        {
            return Ok(Node::Null);
        }
        match kind(element) {
            kind if is_base64(kind) => {
                // Each reference to it makes another copy.
                self.count(element.text.len() / 64)?;
                Ok(base64_node(element.text, self.arena))
            }
            "Map" => self.map(element, depth),
            "Array" => self.list(element, depth),
            _ if element.attribute("arrayType").is_some() || element.local_name() == "Array" => {
                self.list(element, depth)
            }
            _ if element.children.is_empty() => Ok(text_node(element.text)),
            _ => self.record(element, depth),
        }
    }

    /// The element with an id, wherever it stands: PHP writes it where the value comes first, others behind the answer.
    fn target(&self, id: &str) -> Option<&'e Element<'t>> {
        let ids = self.ids.get_or_init(|| {
            let mut ids = FxHashMap::default();
            collect_ids(self.envelope, &mut ids);
            ids
        });
        ids.get(id).copied()
    }

    /// Counts values against the limit of elements, which a reply without references keeps anyway.
    fn count(&self, values: usize) -> Result<(), WireError> {
        let (all, most) = (self.values.get() + values, self.limits.elements);
        self.values.set(all);
        if all > most { Err(WireError::Limit("values", most)) } else { Ok(()) }
    }

    fn list(&self, element: &Element<'t>, depth: usize) -> Result<Node<'t>, WireError> {
        let mut items = BumpVec::with_capacity_in(element.children.len(), self.arena);
        for item in element.children {
            items.push(self.read(item, depth + 1)?);
        }
        Ok(Node::List(items.into_bump_slice()))
    }

    fn map(&self, element: &Element<'t>, depth: usize) -> Result<Node<'t>, WireError> {
        let (mut last, mut entries) = (LastOfEach::default(), Vec::with_capacity(element.children.len()));
        for item in element.children {
            let read = |name| item.child(name).map(|child| self.read(child, depth + 1)).transpose();
            let key = read("key")?.and_then(|key| key.scalar());
            let value = read("value")?.unwrap_or(Node::Unreadable(""));
            let (key, value) = names::member(key, value);
            last.add(&mut entries, 0, key, value);
        }
        Ok(Node::Map(self.arena.alloc_slice_copy(&entries)))
    }

    fn record(&self, element: &Element<'t>, depth: usize) -> Result<Node<'t>, WireError> {
        let mut gather = Gather::new(self.arena, element.children.len());
        for child in element.children {
            gather.add(child.local_name(), self.read(child, depth + 1)?);
        }
        Ok(gather.finish())
    }
}

/// What a reference points at: `href="#id"`, and in SOAP 1.2 `ref="id"` of an element without content (SOAP 1.1, 5.4.1;
/// SOAP 1.2 part 2, 3.1.5.3).
fn referred<'t>(element: &Element<'t>) -> Option<&'t str> {
    let is_empty = element.children.is_empty() && element.text.trim().is_empty();
    let target = element.attribute("href").or_else(|| element.attribute("ref").filter(|_| is_empty))?;
    Some(target.strip_prefix('#').unwrap_or(target))
}

/// Of an id that comes twice the first counts.
fn collect_ids<'e, 't>(element: &'e Element<'t>, ids: &mut FxHashMap<&'t str, &'e Element<'t>>) {
    for child in element.children {
        if let Some(id) = child.attribute("id") {
            ids.entry(id).or_insert(child);
        }
        collect_ids(child, ids);
    }
}

#[cfg(test)]
mod tests;
