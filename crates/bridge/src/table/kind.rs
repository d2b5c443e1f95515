//! What a field's values are in the contract.

/// How often a field's value comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    Many,
    /// A protobuf map with text keys; kind and format are those of its values.
    Map,
}

/// What a value is in the contract.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Bytes,
    Bool,
    /// Any integer that is a plain varint: int32, int64, uint32, uint64.
    Integer {
        signed: bool,
        bits: u8,
    },
    Float,
    Double,
    Enum(EnumTable),
    /// A message of the contract, by the number of its table.
    Message(usize),
    Date,
    DateTime,
    Timestamp,
    Struct,
    Element,
}

/// The spellings of an enum's values; the zero value means absent and has none.
#[derive(Debug)]
pub(super) struct EnumTable {
    pub(super) values: Vec<(i32, Box<str>)>,
}
