//! A tree of an XML request, names without prefixes.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

/// One element.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    /// The first child of that local name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of that name, blanks trimmed.
    pub(crate) fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }

    /// An attribute by its local name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The local name of `xsi:type`.
    pub(crate) fn xsi_type(&self) -> &str {
        let name = self.attribute("type").unwrap_or_default();
        name.rsplit(':').next().unwrap_or_default()
    }
}

/// Reads a document; the complaint is for people.
pub(crate) fn parse(body: &[u8]) -> Result<Element, String> {
    let text = decode(body)?;
    let mut reader = NsReader::from_str(&text);
    reader.config_mut().expand_empty_elements = true;
    let mut open = vec![Element::default()];
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|error| error.to_string())?;
        match event {
            Event::Start(start) => {
                let namespace = uri(&namespace);
                open.push(element(&start, namespace)?);
            }
            Event::End(_) => close(&mut open)?,
            Event::Eof => break,
            other => add_text(&mut open, &other)?,
        }
    }
    match open.pop().map(|document| document.children) {
        Some(mut roots) if open.is_empty() && roots.len() == 1 => Ok(roots.remove(0)),
        _ => Err("no element found".to_owned()),
    }
}

/// PHP's encoder declares ISO-8859-1; everybody else sends UTF-8.
fn decode(body: &[u8]) -> Result<String, String> {
    let head = String::from_utf8_lossy(&body[..body.len().min(100)]).to_lowercase();
    if head.contains("encoding=\"iso-8859-1\"") {
        return Ok(body.iter().map(|byte| char::from(*byte)).collect());
    }
    String::from_utf8(body.to_vec()).map_err(|_| "not well-formed (invalid token)".to_owned())
}

fn close(open: &mut Vec<Element>) -> Result<(), String> {
    let done = open.pop().filter(|_| !open.is_empty()).ok_or("mismatched tag")?;
    open.last_mut().ok_or("mismatched tag")?.children.push(done);
    Ok(())
}

fn add_text(open: &mut [Element], event: &Event<'_>) -> Result<(), String> {
    let Some(current) = open.last_mut() else {
        return Ok(());
    };
    match event {
        Event::Text(text) => current.text.push_str(&text.xml10_content()),
        Event::CData(text) => current.text.push_str(&text.xml10_content()),
        Event::GeneralRef(reference) => current.text.push(resolve(reference)?),
        _ => {}
    }
    Ok(())
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, String> {
    if let Some(letter) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(letter);
    }
    match &*reference.xml10_content() {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err("undefined entity".to_owned()),
    }
}

fn element(start: &BytesStart<'_>, namespace: String) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        attributes.push((attribute.key.local_name().into_inner().to_owned(), value.into_owned()));
    }
    let name = start.local_name().into_inner().to_owned();
    Ok(Element { name, namespace, attributes, ..Element::default() })
}

fn uri(namespace: &ResolveResult<'_>) -> String {
    match namespace {
        ResolveResult::Bound(Namespace(uri)) => (*uri).to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_namespaces_references_and_empty_elements() {
        let root = parse(br#"<a:x xmlns:a="urn:u" a:type="b:Map"><y>1 &lt; 2&#33;</y><z/></a:x>"#).unwrap();
        assert_eq!((root.name.as_str(), root.namespace.as_str(), root.xsi_type()), ("x", "urn:u", "Map"));
        assert_eq!(root.child_text("y"), Some("1 < 2!"));
        assert!(root.child("z").is_some());
    }

    #[test]
    fn refuses_what_is_cut_off() {
        assert!(parse(b"<a><b></b>").is_err());
        assert!(parse(b"plain").is_err());
    }
}
