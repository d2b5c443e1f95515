//! The neutral tree that stands between messages and wires.

/// One value of a call or of a reply, whatever the wire.
///
/// A tree lives in one arena ([`bumpalo::Bump`]) for as long as one call is written or one reply is
/// read; texts borrow from the message or from the reply's body wherever they can.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node<'t> {
    /// Nothing: JSON `null`, `xsi:nil`, an empty XML-RPC `<value/>`.
    Null,
    /// A scalar as text; on the XML wires every scalar is one.
    Text(&'t str),
    /// A number in its own spelling, where the wire tells numbers from texts.
    Number(&'t str),
    /// A boolean, where the wire has one.
    Bool(bool),
    /// Bytes that need not be a text; wires without such write base64.
    Bytes(&'t [u8]),
    /// Several values in order.
    List(&'t [Node<'t>]),
    /// Named values in order, each name once.
    Map(&'t [Entry<'t>]),
    /// A value that could not be read, in its raw form; it costs its field and nothing else.
    Unreadable(&'t str),
}

/// A named value of a [`Node::Map`].
pub type Entry<'t> = (&'t str, Node<'t>);

impl<'t> Node<'t> {
    /// The first value under `key`, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Node<'t>> {
        let Node::Map(entries) = self else { return None };
        entries.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// The text of a scalar, also of one that could not be read, because a verdict may still be found in it; `None` for
    /// lists, maps and nothing.
    #[must_use]
    pub fn scalar(&self) -> Option<&'t str> {
        match *self {
            Node::Text(text) | Node::Number(text) | Node::Unreadable(text) => Some(text),
            Node::Bool(true) => Some("true"),
            Node::Bool(false) => Some("false"),
            Node::Null | Node::Bytes(_) | Node::List(_) | Node::Map(_) => None,
        }
    }

    /// The text under `key`, empty when there is none.
    #[must_use]
    pub fn text_at(&self, key: &str) -> &'t str {
        self.get(key).and_then(|value| value.scalar()).unwrap_or("")
    }

    /// The entries of a map whose keys are whole numbers, in their order: so PHP writes a list whose keys are not 0, 1, 2 and
    /// so on.
    #[must_use]
    pub fn numbered(&self) -> Option<Vec<Entry<'t>>> {
        let Node::Map(entries) = self else { return None };
        let number = |(key, _): &Entry<'_>| if key.starts_with('+') { None } else { key.parse::<i64>().ok() };
        let numbers: Option<Vec<i64>> = entries.iter().map(number).collect();
        let mut all: Vec<_> = numbers?.into_iter().zip(*entries).collect();
        all.sort_by_key(|(number, _)| *number);
        Some(all.into_iter().map(|(_, entry)| *entry).collect())
    }

    /// Whether this value, or one inside of it, could not be read.
    pub(crate) fn holds_unreadable(&self) -> bool {
        match self {
            Node::Unreadable(_) => true,
            Node::List(items) => items.iter().any(Node::holds_unreadable),
            Node::Map(entries) => entries.iter().any(|(_, value)| value.holds_unreadable()),
            Node::Null | Node::Text(_) | Node::Number(_) | Node::Bool(_) | Node::Bytes(_) => false,
        }
    }

    /// Whether the value says nothing: null, an empty text, list or map.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Node::Null => true,
            Node::Text(text) => text.is_empty(),
            Node::Number(_) | Node::Bool(_) | Node::Unreadable(_) => false,
            Node::Bytes(bytes) => bytes.is_empty(),
            Node::List(items) => items.is_empty(),
            Node::Map(entries) => entries.is_empty(),
        }
    }
}
