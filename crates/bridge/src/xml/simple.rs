//! The text that Perl's XML::Simple writes, which is not XML.
//!
//! It has element names that begin with a digit (`<1>`), and element and attribute names with blanks
//! (`<labels Nowy Status="Nowy Status" ..>`, azotel.md 2.4), so an XML parser stops there. This
//! scanner takes a name literally and asks only that the closing tag repeats it.

use bumpalo::Bump;
use memchr::{memchr, memchr2};

use super::{
    document::{Element, Limits, XmlError, within},
    unescape::unescaped,
};

/// Reads XML::Simple's text; the root's name is whatever the function chose to write.
///
/// # Errors
/// [`XmlError`] when tags do not match, the text is cut off, or a limit is passed.
pub fn parse<'t>(text: &'t str, limits: &Limits, arena: &'t Bump) -> Result<Element<'t>, XmlError> {
    let mut scanner = Scanner { rest: text.trim(), limits, arena, read: Vec::new(), elements: 0 };
    let root = scanner.element(1)?;
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
        let end = tag_end(body).ok_or(XmlError::Malformed("the text is cut off"))?;
        self.rest = &body[end + 1..];
        Ok(&body[..end])
    }

    /// Splits a tag into name and attributes. Attributes are `name="value"`, and a name may hold
    /// blanks, so the element's name ends at the first blank only if an attribute follows.
    fn head(&self, tag: &'t str) -> Result<Element<'t>, XmlError> {
        let tag = tag.trim_ascii_end();
        let (name, rest) = match memchr(b'"', tag.as_bytes()) {
            Some(_) => tag.split_once(' ').ok_or(XmlError::Malformed("a tag"))?,
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
        while let Some((key, after)) = rest.split_once("=\"") {
            let (value, next) = after.split_once('"').ok_or(XmlError::Malformed("an attribute"))?;
            within("bytes in one attribute", value.len(), self.limits.attribute_bytes)?;
            attributes.push((key.trim(), unescaped(value, self.arena)?));
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
        let (first, mut kept) = (self.read.len(), "");
        loop {
            let next = memchr(b'<', self.rest.as_bytes()).ok_or(XmlError::Malformed("the text is cut off"))?;
            let (text, rest) = self.rest.split_at(next);
            self.rest = rest;
            let closing = rest.strip_prefix("</");
            let is_leaf = closing.is_some() && self.read.len() == first;
            if kept.is_empty() && (is_leaf || !text.trim().is_empty()) {
                kept = unescaped(text, self.arena)?;
            }
            let Some(closing) = closing else {
                let child = self.element(depth + 1)?;
                self.read.push(child);
                continue;
            };
            let after = closing.strip_prefix(name).and_then(|rest| rest.strip_prefix('>'));
            self.rest = after.ok_or(XmlError::Malformed("a closing tag that is not its element's"))?;
            return Ok(kept);
        }
    }
}

/// Where a tag ends: at the first `>` that is not inside quotes, of which most tags have none.
fn tag_end(body: &str) -> Option<usize> {
    let first = memchr2(b'>', b'"', body.as_bytes())?;
    if body.as_bytes()[first] == b'>' {
        return Some(first);
    }
    let mut quoted = false;
    body.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b'>' && !quoted
    })
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
    fn line_ends_are_line_feeds_and_forbidden_characters_are_marked() {
        let arena = Bump::new();
        let root =
            parse("<r>\r\n<a x=\"1\r\n2\">b\r\nc\rd&#13;</a><e>&#0;</e></r>\r\n", &Limits::default(), &arena).unwrap();
        assert_eq!((root.children[0].attributes[0].1, root.children[0].text), ("1\n2", "b\nc\nd\r"));
        assert_eq!(root.children[1].text, "\u{ffff}");
    }

    #[test]
    fn refuses_what_does_not_close() {
        for text in ["", "OK", "<a>", "<a></b>", "<a>x</a><b/>", "<a x=\"1></a>", "<a>&evil;</a>", "<!DOCTYPE a><a/>"] {
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
