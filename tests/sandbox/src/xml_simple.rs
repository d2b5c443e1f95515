//! Text as Perl's XML::Simple writes it: no declaration, two blanks per level, names unchecked.
//!
//! So an element may be called `<1>` and an attribute `Nowy Status`; what reads it must not be an XML parser.

/// One element.
pub(crate) struct Node {
    name: String,
    attributes: Vec<(String, String)>,
    content: Content,
}

enum Content {
    Text(String),
    Nodes(Vec<Node>),
    /// A hash of nothing but scalars, written as attributes.
    Nothing,
}

impl Node {
    /// An element with text.
    pub(crate) fn leaf(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), attributes: Vec::new(), content: Content::Text(text.to_owned()) }
    }

    /// An element with elements in it.
    pub(crate) fn branch(name: &str, nodes: Vec<Node>) -> Self {
        Self { name: name.to_owned(), attributes: Vec::new(), content: Content::Nodes(nodes) }
    }

    /// An element with attributes only.
    pub(crate) fn empty(name: &str) -> Self {
        Self { name: name.to_owned(), attributes: Vec::new(), content: Content::Nothing }
    }

    pub(crate) fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The whole text, a line break at its end.
    pub(crate) fn write(&self) -> String {
        let mut out = String::new();
        self.write_at(&mut out, 0);
        out
    }

    fn write_at(&self, out: &mut String, depth: usize) {
        let (indent, name) = ("  ".repeat(depth), &self.name);
        let attributes: String =
            self.attributes.iter().map(|(name, value)| format!(r#" {name}="{}""#, escape(value))).collect();
        match &self.content {
            Content::Nothing => out.push_str(&format!("{indent}<{name}{attributes} />\n")),
            Content::Text(text) => out.push_str(&format!("{indent}<{name}{attributes}>{}</{name}>\n", escape(text))),
            Content::Nodes(nodes) => {
                out.push_str(&format!("{indent}<{name}{attributes}>\n"));
                nodes.iter().for_each(|node| node.write_at(out, depth + 1));
                out.push_str(&format!("{indent}</{name}>\n"));
            }
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_names_no_parser_takes() {
        let labels = Node::empty("labels").attribute("Nowy Status", "a \"b\"");
        let node = Node::branch("1", vec![Node::leaf("id", "1"), Node::leaf("description", "A & B"), labels]);
        let expected = "<1>\n  <id>1</id>\n  <description>A &amp; B</description>\n  \
                        <labels Nowy Status=\"a &quot;b&quot;\" />\n</1>\n";
        assert_eq!(node.write(), expected);
    }
}
