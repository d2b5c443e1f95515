//! A whole XML document in memory, read under limits.
//!
//! quick-xml tokenises the markup; this layer keeps what it leaves open (dependencies.md A.4): a
//! document type is refused, the text is read to its end, nothing but the five predefined entities
//! and character references is expanded, and size, depth and counts are bounded.

use bumpalo::{Bump, collections::String as BumpString};
use memchr::memchr;
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{
    error::XmlError,
    unescape::{unescaped, with_line_feeds},
};

/// Bounds of a document; the defaults are those of dependencies.md A.4. The text itself has one already, and no text inside
/// is longer.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open elements at a time.
    pub depth: usize,
    /// Elements in all.
    pub elements: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Bytes of one name.
    pub name_bytes: usize,
    /// Bytes of one attribute value.
    pub attribute_bytes: usize,
}

impl Limits {
    /// Bytes of a reply in which an element is allowed: the densest of real replies, XML-RPC's lists of small numbers, have
    /// one in twelve. An element takes up to 200 bytes of memory while its document is read.
    const BYTES_OF_AN_ELEMENT: usize = 12;

    /// Few enough elements for every reply to be read, however small replies may be.
    const MIN_ELEMENTS: usize = 1000;

    /// The bounds where a reply may have so many bytes.
    #[must_use]
    pub fn within(max_reply_bytes: usize) -> Self {
        let elements = (max_reply_bytes / Self::BYTES_OF_AN_ELEMENT).max(Self::MIN_ELEMENTS);
        Limits { depth: 64, elements, attributes: 64, name_bytes: 256, attribute_bytes: 64 << 10 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::within(8 << 20)
    }
}

/// One element with its content.
#[derive(Clone, Copy, Debug)]
pub struct Element<'t> {
    /// The name as written, prefix included.
    pub name: &'t str,
    /// Attributes in order, names as written, values unescaped.
    pub attributes: &'t [(&'t str, &'t str)],
    /// Child elements in order.
    pub children: &'t [Element<'t>],
    /// All text directly inside, joined.
    pub text: &'t str,
}

impl<'t> Element<'t> {
    /// The name without its prefix.
    #[must_use]
    pub fn local_name(&self) -> &'t str {
        local(self.name)
    }

    /// The attribute whose name without prefix is `name`: replies exist whose prefixes are not
    /// declared (azotel.md 2.3), so a prefix says nothing.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'t str> {
        self.attributes.iter().find(|(key, _)| local(key) == name).map(|(_, value)| *value)
    }

    /// The first child whose name without prefix is `name`.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&'t Element<'t>> {
        self.children.iter().find(|child| child.local_name() == name)
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Reads a whole document and returns its root element.
///
/// # Errors
/// [`XmlError`] when the text is not one well-formed document within `limits`.
pub fn parse<'t>(text: &'t str, limits: &Limits, arena: &'t Bump) -> Result<Element<'t>, XmlError> {
    let mut parser = Parser {
        reader: Reader::from_str(text),
        arena,
        limits,
        open: Vec::new(),
        read: Vec::new(),
        root: None,
        elements: 0,
    };
    while parser.step()? {}
    parser.root.ok_or(XmlError::Malformed("no document element"))
}

struct Parser<'t, 'l> {
    reader: Reader<&'t [u8]>,
    arena: &'t Bump,
    limits: &'l Limits,
    open: Vec<Open<'t>>,
    /// Closed elements whose parents are open.
    read: Vec<Element<'t>>,
    root: Option<Element<'t>>,
    elements: usize,
}

/// An element whose end has not come yet.
struct Open<'t> {
    element: Element<'t>,
    /// Its text once that came in more than one piece: to join each with those before would be quadratic.
    joined: BumpString<'t>,
    /// The place in `read` where its children begin.
    first: usize,
}

impl<'t> Parser<'t, '_> {
    /// Takes the text before the next markup, then that markup; false at the end of the input.
    fn step(&mut self) -> Result<bool, XmlError> {
        self.take_text()?;
        match self.reader.read_event().map_err(|_| XmlError::Malformed("markup"))? {
            Event::Start(start) => self.open(&start)?,
            Event::Empty(start) => {
                self.open(&start)?;
                self.close()?;
            }
            Event::End(_) => self.close()?,
            Event::CData(data) => self.add_text(self.arena.alloc_str(&with_line_feeds(&data.into_inner())))?,
            Event::DocType(_) => return Err(XmlError::DoctypeForbidden),
            Event::Decl(_) if self.root.is_some() || !self.open.is_empty() => {
                return Err(XmlError::Malformed("declaration inside the document"));
            }
            Event::Eof if !self.open.is_empty() => return Err(XmlError::Malformed("the document is cut off")),
            Event::Eof => return Ok(false),
            Event::Text(_) | Event::GeneralRef(_) => return Err(XmlError::Malformed("text")),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
        }
        Ok(true)
    }

    /// Takes all text up to the next `<` in one piece: an escaped document inside a document would
    /// otherwise come as one event for each `&lt;`.
    fn take_text(&mut self) -> Result<(), XmlError> {
        let rest = *self.reader.get_ref();
        let end = memchr(b'<', rest).unwrap_or(rest.len());
        if end == 0 {
            return Ok(());
        }
        let raw = std::str::from_utf8(&rest[..end]).map_err(|_| XmlError::Malformed("not UTF-8"))?;
        *self.reader.get_mut() = &rest[end..];
        if self.open.is_empty() {
            let outside = raw.trim_start_matches('\u{feff}').trim_matches([' ', '\t', '\r', '\n']);
            return if outside.is_empty() {
                Ok(())
            } else {
                Err(XmlError::Malformed("text outside the document element"))
            };
        }
        let text = unescaped(raw, self.arena)?;
        self.add_text(text)
    }

    fn add_text(&mut self, text: &'t str) -> Result<(), XmlError> {
        let Some(open) = self.open.last_mut() else {
            return Err(XmlError::Malformed("text outside the document element"));
        };
        if open.element.text.is_empty() {
            open.element.text = text;
            return Ok(());
        }
        if open.joined.is_empty() {
            open.joined.push_str(open.element.text);
        }
        open.joined.push_str(text);
        Ok(())
    }

    fn open(&mut self, start: &BytesStart<'t>) -> Result<(), XmlError> {
        if self.root.is_some() {
            return Err(XmlError::Malformed("a second document element"));
        }
        self.elements += 1;
        within("elements", self.elements, self.limits.elements)?;
        within("levels", self.open.len() + 1, self.limits.depth)?;
        let name = self.arena.alloc_str(start.name().as_ref());
        within("bytes in one name", name.len(), self.limits.name_bytes)?;
        let attributes = self.attributes(start)?;
        let element = Element { name, attributes, children: &[], text: "" };
        self.open.push(Open { element, joined: BumpString::new_in(self.arena), first: self.read.len() });
        Ok(())
    }

    fn attributes(&self, start: &BytesStart<'t>) -> Result<&'t [(&'t str, &'t str)], XmlError> {
        let mut list = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| XmlError::Malformed("an attribute"))?;
            within("attributes of one element", list.len() + 1, self.limits.attributes)?;
            within("bytes in one attribute", attribute.value.len(), self.limits.attribute_bytes)?;
            let name: &str = self.arena.alloc_str(attribute.key.as_ref());
            let value: &str = unescaped(self.arena.alloc_str(&attribute.value), self.arena)?;
            list.push((name, value));
        }
        Ok(self.arena.alloc_slice_copy(&list))
    }

    fn close(&mut self) -> Result<(), XmlError> {
        let Open { mut element, joined, first } =
            self.open.pop().ok_or(XmlError::Malformed("a closing tag without its element"))?;
        if !joined.is_empty() {
            element.text = joined.into_bump_str();
        }
        element.children = self.arena.alloc_slice_fill_iter(self.read.drain(first..));
        if self.open.is_empty() {
            self.root = Some(element);
        } else {
            self.read.push(element);
        }
        Ok(())
    }
}

pub(super) fn within(what: &'static str, count: usize, limit: usize) -> Result<(), XmlError> {
    if count > limit { Err(XmlError::Limit(what, limit)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> XmlError {
        parse(text, &Limits::default(), &Bump::new()).expect_err(text)
    }

    #[test]
    fn reads_names_attributes_text_and_children() {
        let arena = Bump::new();
        let root = parse(
            "<?xml version=\"1.0\"?><s:a x=\"1&amp;2\">t &lt;b&gt;<!-- c --><b/><![CDATA[<c>]]>&#x41;</s:a>\n",
            &Limits::default(),
            &arena,
        )
        .unwrap();
        assert_eq!((root.name, root.local_name(), root.attribute("x")), ("s:a", "a", Some("1&2")));
        assert_eq!(root.text, "t <b><c>A");
        assert!(root.child("b").is_some());
    }

    #[test]
    fn line_ends_are_line_feeds() {
        let arena = Bump::new();
        let text =
            "<?xml version=\"1.0\"?>\r\n<a\r\nx=\"1\r\n2&#13;\">\r\nb\rc&#13;&amp;<![CDATA[d\r\ne\r&#13;]]>\r</a>\r\n";
        let root = parse(text, &Limits::default(), &arena).unwrap();
        assert_eq!((root.attribute("x"), root.text), (Some("1\n2\r"), "\nb\nc\r&d\ne\n&#13;\n"));
    }

    #[test]
    fn a_forbidden_character_is_marked() {
        let arena = Bump::new();
        let root = parse("<a x='&#xFFFF;'>&#0;<b>c</b></a>", &Limits::default(), &arena).unwrap();
        assert_eq!((root.attribute("x"), root.text, root.children[0].text), (Some("\u{ffff}"), "\u{ffff}", "c"));
    }

    #[test]
    fn refuses_what_a_document_must_not_have() {
        assert_eq!(fails("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), XmlError::DoctypeForbidden);
        for text in [
            "",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "x<a/>",
            "<a>&nbsp;</a>",
            "<a x='1' x='2'/>",
            "<a><b></a>",
            "<a/><?xml version='1.0'?>",
            "<a/",
        ] {
            assert!(matches!(fails(text), XmlError::Malformed(_)), "{text}");
        }
    }

    #[test]
    fn keeps_its_limits() {
        let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
        assert_eq!(fails(&deep), XmlError::Limit("levels", 64));
        let wide = format!("<a {}/>", (0..65).map(|n| format!("x{n}='' ")).collect::<String>());
        assert_eq!(fails(&wide), XmlError::Limit("attributes of one element", 64));
        let limits = Limits { elements: 3, ..Limits::default() };
        let arena = Bump::new();
        assert_eq!(parse("<a><b/><b/><b/></a>", &limits, &arena).unwrap_err(), XmlError::Limit("elements", 3));
        assert_eq!(Limits::within(24 << 20).elements, 2 << 20);
    }

    #[test]
    fn a_text_in_many_pieces_takes_as_much_memory_as_its_bytes() {
        for piece in ["x<!---->", "<![CDATA[x]]>", "x<?p?>", "&lt;<!---->"] {
            let text = format!("<a>{}</a>", piece.repeat(20_000));
            let arena = Bump::new();
            assert_eq!(parse(&text, &Limits::default(), &arena).unwrap().text.len(), 20_000);
            assert!(arena.allocated_bytes() < 2 << 20, "{piece}: {}", arena.allocated_bytes());
        }
    }

    #[test]
    fn every_cut_of_a_document_is_an_error() {
        let text = "<?xml version=\"1.0\"?><a><b x=\"y\">t&amp;</b><![CDATA[z]]></a>";
        for end in 0..text.len() {
            assert!(parse(&text[..end], &Limits::default(), &Bump::new()).is_err(), "cut at {end}");
        }
    }
}
