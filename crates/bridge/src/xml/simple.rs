//! The text that Perl's XML::Simple writes, which is not XML.
//!
//! It has element names that begin with a digit (`<1>`), and element and attribute names with blanks
//! (`<labels Nowy Status="Nowy Status" ..>`, azotel.md 2.4), so an XML parser stops there. This
//! scanner takes a name literally and asks only that the closing tag repeats it. What XML has besides and other writers use (a
//! declaration, comments, CDATA, single quotes) is read as XML has it. Line ends stay: the document around has had those of XML,
//! and XML::Simple writes a carriage return as it is.

use bumpalo::{Bump, collections::String as BumpString};
use memchr::{memchr, memchr_iter};

use super::{
    document::{Element, Limits, within},
    error::XmlError,
    unescape::unescaped_in_lines,
};

/// What means nothing and may stand wherever an element may: how it begins and how it ends.
const SKIPPED: [(&str, &str); 2] = [("<!--", "-->"), ("<?", "?>")];
const CUT_OFF: XmlError = XmlError::Malformed("the text is cut off");

/// Reads XML::Simple's text; the root's name is whatever the function chose to write.
///
/// # Errors
/// [`XmlError`] when tags do not match, the text is cut off, or a limit is passed.
pub fn parse<'t>(text: &'t str, limits: &Limits, arena: &'t Bump) -> Result<Element<'t>, XmlError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut scanner = Scanner { rest: text, limits, arena, read: Vec::new(), elements: 0 };
    scanner.skip_all()?;
    let root = scanner.element(1)?;
    scanner.skip_all()?;
    if scanner.rest.is_empty() { Ok(root) } else { Err(XmlError::Malformed("text after the document element")) }
}

struct Scanner<'t, 'l> {
    rest: &'t str,
    limits: &'l Limits,
    arena: &'t Bump,
    /// Elements that are read and whose parents are not.
    read: Vec<Element<'t>>,
    elements: usize,
}

impl<'t> Scanner<'t, '_> {
    /// Reads one element from its `<` to the end of its closing tag.
    fn element(&mut self, depth: usize) -> Result<Element<'t>, XmlError> {
        self.elements += 1;
        within("elements", self.elements, self.limits.elements)?;
        within("levels", depth, self.limits.depth)?;
        let tag = self.tag()?;
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |open| (open, true));
        let mut element = self.head(tag)?;
        if !closed {
            let first = self.read.len();
            element.text = self.content(element.name, depth)?;
            element.children = self.arena.alloc_slice_fill_iter(self.read.drain(first..));
        }
        Ok(element)
    }

    /// Passes over what stands before or behind the document element.
    fn skip_all(&mut self) -> Result<(), XmlError> {
        loop {
            self.rest = self.rest.trim_start();
            if !self.skip()? {
                return Ok(());
            }
        }
    }

    /// Passes over a comment, a declaration or an instruction, if one is next.
    fn skip(&mut self) -> Result<bool, XmlError> {
        for (begin, end) in SKIPPED {
            if let Some(inner) = self.rest.strip_prefix(begin) {
                self.rest = inner.split_once(end).ok_or(CUT_OFF)?.1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes `<...>` and returns what is between, quoted `>` included.
    fn tag(&mut self) -> Result<&'t str, XmlError> {
        let body = self.rest.strip_prefix('<').ok_or(XmlError::Malformed("an element was expected"))?;
        if body.starts_with(['!', '?']) {
            return Err(if body.starts_with("!DOCTYPE") {
                XmlError::DoctypeForbidden
            } else {
                XmlError::Malformed("markup")
            });
        }
        let end = tag_end(body).ok_or(CUT_OFF)?;
        self.rest = &body[end + 1..];
        Ok(&body[..end])
    }

    /// Splits a tag into name and attributes. Attributes are `name="value"`, and a name may hold
    /// blanks, so the element's name ends at the first blank only if an attribute follows.
    fn head(&self, tag: &'t str) -> Result<Element<'t>, XmlError> {
        let tag = tag.trim_ascii_end();
        let (name, rest) = match next_quote(tag) {
            Some(_) => tag.split_once(|c: char| c.is_ascii_whitespace()).ok_or(XmlError::Malformed("a tag"))?,
            None => (tag, ""),
        };
        within("bytes in one name", name.len(), self.limits.name_bytes)?;
        if name.is_empty() {
            return Err(XmlError::Malformed("a tag"));
        }
        let attributes = if rest.is_empty() { &[][..] } else { self.attributes(rest)? };
        Ok(Element { name, attributes, children: &[], text: "" })
    }

    fn attributes(&self, mut rest: &'t str) -> Result<&'t [(&'t str, &'t str)], XmlError> {
        let mut attributes = Vec::new();
        while let Some((equals, quote)) = next_quote(rest) {
            let mark = char::from(rest.as_bytes()[quote]);
            let (value, next) = rest[quote + 1..].split_once(mark).ok_or(XmlError::Malformed("an attribute"))?;
            within("bytes in one attribute", value.len(), self.limits.attribute_bytes)?;
            attributes.push((rest[..equals].trim(), unescaped_in_lines(value, self.arena)?));
            rest = next;
        }
        if rest.trim().is_empty() {
            Ok(self.arena.alloc_slice_copy(&attributes))
        } else {
            Err(XmlError::Malformed("a tag"))
        }
    }

    /// Reads up to the closing tag: the children come to stand in `read`, the text is returned. Blanks between children
    /// are none.
    fn content(&mut self, name: &str, depth: usize) -> Result<&'t str, XmlError> {
        let (first, mut text) = (self.read.len(), Text { first: "", joined: BumpString::new_in(self.arena) });
        loop {
            let next = memchr(b'<', self.rest.as_bytes()).ok_or(CUT_OFF)?;
            let (piece, rest) = self.rest.split_at(next);
            self.rest = rest;
            if self.read.len() == first || !piece.trim().is_empty() {
                text.add(unescaped_in_lines(piece, self.arena)?);
            }
            if let Some(closing) = rest.strip_prefix("</") {
                let after = closing.strip_prefix(name).and_then(|rest| rest.trim_ascii_start().strip_prefix('>'));
                self.rest = after.ok_or(XmlError::Malformed("a closing tag that is not its element's"))?;
                return Ok(text.whole());
            }
            if let Some(data) = rest.strip_prefix("<![CDATA[") {
                let (data, rest) = data.split_once("]]>").ok_or(CUT_OFF)?;
                text.add(data);
                self.rest = rest;
            } else if !self.skip()? {
                text.without_blanks();
                let child = self.element(depth + 1)?;
                self.read.push(child);
            }
        }
    }
}

/// The text of an element. Most have one piece, which is borrowed; more are joined as they come.
struct Text<'t> {
    first: &'t str,
    joined: BumpString<'t>,
}

impl<'t> Text<'t> {
    fn add(&mut self, piece: &'t str) {
        if self.first.is_empty() {
            self.first = piece;
            return;
        }
        if self.joined.is_empty() {
            self.joined.push_str(self.first);
        }
        self.joined.push_str(piece);
    }

    /// Forgets what stands before a child if it is blank.
    fn without_blanks(&mut self) {
        if self.joined.trim().is_empty() && self.first.trim().is_empty() {
            self.joined.clear();
            self.first = "";
        }
    }

    fn whole(self) -> &'t str {
        if self.joined.is_empty() { self.first } else { self.joined.into_bump_str() }
    }
}

/// Where the next attribute's `=` is, and the quote behind it. A quote elsewhere is part of a name.
fn next_quote(tag: &str) -> Option<(usize, usize)> {
    memchr_iter(b'=', tag.as_bytes()).find_map(|equals| {
        let value = tag[equals + 1..].trim_ascii_start();
        value.starts_with(['"', '\'']).then(|| (equals, tag.len() - value.len()))
    })
}

/// Where a tag ends: at the first `>` that is not inside an attribute's quotes.
fn tag_end(body: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let end = from + memchr(b'>', &body.as_bytes()[from..])?;
        let Some((_, quote)) = next_quote(&body[from..end]) else { return Some(end) };
        let quote = from + quote;
        from = quote + 1 + memchr(body.as_bytes()[quote], &body.as_bytes()[quote + 1..])? + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_digit_names_and_names_with_blanks() {
        let arena = Bump::new();
        let text = "<r>\n  <1><id>1</id></1>\n  <labels Nowy Status=\"Nowy &gt; Status\" post=\"Disconnected\" />\n  <two words></two words>\n</r>\n";
        let root = parse(text, &Limits::default(), &arena).unwrap();
        assert_eq!(root.children.len(), 3);
        assert_eq!(root.children[0].child("id").unwrap().text, "1");
        assert_eq!(root.children[1].attributes[0], ("Nowy Status", "Nowy > Status"));
        assert_eq!((root.children[1].attributes[1], root.children[2].name), (("post", "Disconnected"), "two words"));
    }

    #[test]
    fn line_ends_stay_and_forbidden_characters_are_marked() {
        let arena = Bump::new();
        let root =
            parse("<r>\r\n<a x=\"1\r\n2\">b\r\nc\rd&#13;</a><e>&#0;</e></r>\r\n", &Limits::default(), &arena).unwrap();
        assert_eq!((root.children[0].attributes[0].1, root.children[0].text), ("1\r\n2", "b\r\nc\rd\r"));
        assert_eq!(root.children[1].text, "\u{ffff}");
    }

    #[test]
    fn reads_what_xml_has_besides() {
        let arena = Bump::new();
        let read = |text: &'static str| parse(text, &Limits::default(), &arena).unwrap();
        let around =
            "\u{feff}<?xml version='1.0' encoding=\"UTF-8\"?>\n<!-- a > b -->\n<?pi x?><r>1</r >\n<!-- - --> <?end?>\n";
        assert_eq!((read(around).name, read(around).text), ("r", "1"));
        let quoted = read("<l a='x > \"y\"' b = \"it's\"\n\tc='&lt;'\r\n/>");
        assert_eq!(quoted.attributes, [("a", "x > \"y\""), ("b", "it's"), ("c", "<")]);
        for (text, expected) in [
            ("<a>x <!-- c -->y</a>", "x y"),
            ("<a><![CDATA[<b> & ]] > \r\n]]></a>", "<b> & ]] > \r\n"),
            ("<a>1<![CDATA[2]]>3<?pi?>4</a>", "1234"),
            ("<a><![CDATA[]]></a>", ""),
            ("<a> </a>", " "),
        ] {
            assert_eq!(read(text).text, expected, "{text}");
        }
        let parent = read("<r>\n <!-- c -->\n <a b='1'>x</a\n>\n <!-- d -->\n</r>");
        assert_eq!((parent.text, parent.children.len(), parent.children[0].text), ("", 1, "x"));
        let odd = read("<r><Client's choice s=\"1\"/><Don't call>2</Don't call></r>");
        assert_eq!((odd.children[0].attributes[0].0, odd.children[1].name), ("choice s", "Don't call"));
    }

    #[test]
    fn refuses_what_does_not_close() {
        for text in ["", "OK", "<a>", "<a></b>", "<a>x</a><b/>", "<a x=\"1></a>", "<a>&evil;</a>", "<!DOCTYPE a><a/>"]
            .into_iter()
            .chain([
                "<a><!-- </a>",
                "<a><![CDATA[x]] ></a>",
                "<a/><!-- ",
                "<?xml <a/>",
                "<a x='1></a>",
                "<a><!ENTITY b 'c'></a>",
            ])
            .chain([
                "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
                "<a><!DOCTYPE a></a>",
                "<a></a/>",
                "<a></ a>",
            ])
        {
            assert!(parse(text, &Limits::default(), &Bump::new()).is_err(), "{text}");
        }
    }

    #[test]
    fn every_cut_is_an_error() {
        let text = "<r><1><id>1</id></1><l a b=\"x\" /></r>";
        for end in 0..text.len() {
            assert!(parse(&text[..end], &Limits::default(), &Bump::new()).is_err(), "cut at {end}");
        }
    }
}
