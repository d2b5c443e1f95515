//! `google.protobuf.Struct` -> tree.

use bumpalo::collections::Vec as BumpVec;

use super::{
    super::{
        path::Path,
        protobuf::{Fields, Raw},
    },
    Encoder,
};
use crate::node::Node;

impl<'t> Encoder<'t> {
    /// An encoded `google.protobuf.Struct`: field 1 holds entries of key 1 and value 2.
    pub(super) fn structure(&mut self, bytes: &'t [u8], path: &Path<'_>) -> Node<'t> {
        let mut entries = BumpVec::new_in(self.arena);
        for (_, raw) in Fields(bytes) {
            let Raw::Bytes(entry) = raw else { continue };
            let mut key: &str = "";
            let mut value = Node::Null;
            for (number, raw) in Fields(entry) {
                match (number, raw) {
                    (1, Raw::Bytes(text)) => key = self.text(text, path).unwrap_or(""),
                    (_, Raw::Bytes(bytes)) => value = self.value(bytes, path),
                    _ => {}
                }
            }
            entries.push((key, value));
        }
        Node::Map(entries.into_bump_slice())
    }

    /// An encoded `google.protobuf.Value`.
    fn value(&mut self, bytes: &'t [u8], path: &Path<'_>) -> Node<'t> {
        match Fields(bytes).next() {
            Some((2, Raw::Fixed64(bits))) => {
                let value = f64::from_bits(bits);
                self.float(value, value.is_finite(), path).unwrap_or(Node::Null)
            }
            Some((3, Raw::Bytes(text))) => Node::Text(self.text(text, path).unwrap_or("")),
            Some((4, Raw::Varint(flag))) => Node::Bool(flag != 0),
            Some((5, Raw::Bytes(bytes))) => self.structure(bytes, path),
            Some((6, Raw::Bytes(bytes))) => self.values(bytes, path),
            _ => Node::Null,
        }
    }

    /// An encoded `google.protobuf.ListValue`.
    fn values(&mut self, bytes: &'t [u8], path: &Path<'_>) -> Node<'t> {
        let mut items = BumpVec::new_in(self.arena);
        for (_, raw) in Fields(bytes) {
            if let Raw::Bytes(bytes) = raw {
                let item = self.value(bytes, path);
                items.push(item);
            }
        }
        Node::List(items.into_bump_slice())
    }
}
