//! The gateway's own reflection, by tonic's server over the files that a caller may see.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use prost::encoding::{WireType, encode_key, encode_varint};
use tonic::body::Body;
use tonic_reflection::server::Builder;
use tower::{ServiceExt, util::BoxCloneSyncService};

use super::filter::Files;

/// A reflection service.
pub(crate) type Reflection = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// `grpc.reflection.v1` or `v1alpha`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Version {
    V1,
    V1Alpha,
}

impl Version {
    /// The version that a path names.
    pub(super) fn of(path: &str) -> Self {
        if path.starts_with("/grpc.reflection.v1alpha.") { Self::V1Alpha } else { Self::V1 }
    }
}

/// Serves these files, and health; nothing (after a log line) if they cannot be indexed.
pub(super) fn over(files: &Files, version: Version) -> Option<Reflection> {
    let set = file_descriptor_set(files.values());
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(&set)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    let built = match version {
        Version::V1 => builder.build_v1().map(BoxCloneSyncService::new),
        Version::V1Alpha => builder.build_v1alpha().map(BoxCloneSyncService::new),
    };
    built.inspect_err(|error| tracing::warn!(%error, "the union of the descriptors cannot be served")).ok()
}

/// Joins encoded files to an encoded `FileDescriptorSet`, byte for byte: its field 1 is the list of files.
pub(super) fn file_descriptor_set<'a>(files: impl Iterator<Item = &'a Bytes>) -> Vec<u8> {
    let mut set = Vec::new();
    for file in files {
        encode_key(1, WireType::LengthDelimited, &mut set);
        encode_varint(file.len() as u64, &mut set);
        set.extend_from_slice(file);
    }
    set
}

/// Answers a reflection call.
pub(crate) async fn reflect(service: Reflection, request: Request<Body>) -> Response<Body> {
    let Ok(response) = service.oneshot(request).await;
    response
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::{FileDescriptorProto, FileDescriptorSet};

    use super::*;

    #[test]
    fn files_are_joined_to_a_set() {
        let file = |name: &str| FileDescriptorProto { name: Some(name.to_owned()), ..Default::default() };
        let files = [file("a.proto"), file("b.proto")];
        let encoded = files.clone().map(|file| Bytes::from(file.encode_to_vec()));
        let set = file_descriptor_set(encoded.iter());
        let decoded = FileDescriptorSet::decode(set.as_slice()).unwrap();
        assert_eq!(decoded.file, files);
    }
}
