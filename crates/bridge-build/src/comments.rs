//! Comments of the contract in the descriptors, so that whoever learns the contract by reflection can show them, without
//! the locations that carry no comment, which are most of a source info.

use prost::{
    DecodeError, Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field},
};
use prost_types::SourceCodeInfo;

/// `FileDescriptorSet.file`.
const FILE: u32 = 1;
/// `FileDescriptorProto.package`.
const PACKAGE: u32 = 2;
/// `FileDescriptorProto.source_code_info`.
const SOURCE_CODE_INFO: u32 = 9;

/// Leaves of every source info what stands before or behind a declaration of our own packages. All else stays byte for
/// byte: decoded and encoded again it would lose its custom options.
pub(crate) fn only_comments(set: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut kept = Vec::with_capacity(set.len());
    for (number, field) in fields(set)? {
        match number {
            FILE => put(FILE, &of_file(content(field)?)?, &mut kept),
            _ => kept.extend_from_slice(field),
        }
    }
    Ok(kept)
}

fn of_file(file: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let fields = fields(file)?;
    let mut kept = Vec::with_capacity(file.len());
    let mut own = false;
    for (number, field) in fields {
        match number {
            SOURCE_CODE_INFO if own => put(SOURCE_CODE_INFO, &of_source_info(content(field)?)?, &mut kept),
            SOURCE_CODE_INFO => {}
            _ => {
                own |= number == PACKAGE && content(field)?.starts_with(b"ispbridge.");
                kept.extend_from_slice(field);
            }
        }
    }
    Ok(kept)
}

fn of_source_info(encoded: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut info = SourceCodeInfo::decode(encoded)?;
    info.location.retain(|one| one.leading_comments.is_some() || one.trailing_comments.is_some());
    for location in &mut info.location {
        // The span stays: protobuf-go refuses a file with a location that has none, and printers order by it.
        location.leading_detached_comments.clear();
    }
    Ok(info.encode_to_vec())
}

/// The fields of a message, each with its key.
fn fields(mut message: &[u8]) -> Result<Vec<(u32, &[u8])>, DecodeError> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let begin = message;
        let (number, wire_type) = decode_key(&mut message)?;
        skip_field(wire_type, number, &mut message, DecodeContext::default())?;
        fields.push((number, &begin[..begin.len() - message.len()]));
    }
    Ok(fields)
}

/// What a field with a length holds.
fn content(mut field: &[u8]) -> Result<&[u8], DecodeError> {
    decode_key(&mut field)?;
    decode_varint(&mut field)?;
    Ok(field)
}

fn put(number: u32, content: &[u8], into: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, into);
    encode_varint(content.len() as u64, into);
    into.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use prost_types::{FileDescriptorProto, FileDescriptorSet, source_code_info::Location};

    use super::*;

    fn file(package: &str, comments: &[Option<&str>]) -> FileDescriptorProto {
        let location = comments.iter().map(|comment| Location {
            path: vec![4, 0],
            span: vec![1, 2, 3],
            leading_comments: comment.map(str::to_owned),
            ..Location::default()
        });
        FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            package: Some(package.to_owned()),
            source_code_info: Some(SourceCodeInfo { location: location.collect() }),
            syntax: Some("proto3".to_owned()),
            ..FileDescriptorProto::default()
        }
    }

    #[test]
    fn our_comments_stay_and_nothing_else_of_the_source() {
        let set = FileDescriptorSet {
            file: vec![file("ispbridge.aex.v1", &[None, Some(" a"), None]), file("google.api", &[Some(" b")])],
        };
        let kept = FileDescriptorSet::decode(&*only_comments(&set.encode_to_vec()).unwrap()).unwrap();
        let mut expected = set;
        expected.file[0] = file("ispbridge.aex.v1", &[Some(" a")]);
        expected.file[1].source_code_info = None;
        assert_eq!(kept, expected);
    }

    #[test]
    fn an_unknown_field_stays_as_it_is() {
        let mut set = FileDescriptorSet { file: vec![file("ispbridge.aex.v1", &[])] }.encode_to_vec();
        put(50_001, b"custom", &mut set);
        assert!(only_comments(&set).unwrap().ends_with(b"custom"));
    }
}
