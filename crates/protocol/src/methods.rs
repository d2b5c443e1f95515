//! The methods of a process as its descriptors declare them.

use std::sync::Arc;

use prost::{DecodeError, Message};
use prost_types::{FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto};
use rustc_hash::FxHashMap;

use crate::method::Idempotency;

/// What the chassis itself may add, and whether its requests are streams; none of them changes anything.
const OF_THE_CHASSIS: [(&str, bool); 5] = [
    ("/grpc.health.v1.Health/Check", false),
    ("/grpc.health.v1.Health/List", false),
    ("/grpc.health.v1.Health/Watch", false),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", true),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", true),
];

/// Method by path (`/package.Service/Method`).
#[derive(Debug)]
pub struct Methods(FxHashMap<String, Method>);

/// One method.
#[derive(Clone, Debug)]
pub struct Method {
    /// `package.Service/Method`.
    pub name: Arc<str>,
    /// Whether it may change something.
    pub idempotency: Idempotency,
    /// Whether its request is a stream of messages.
    pub is_client_streaming: bool,
}

impl Methods {
    /// Reads the descriptor sets of a program.
    ///
    /// # Errors
    /// One of them is no descriptor set.
    pub fn new(descriptors: &[&[u8]]) -> Result<Self, DecodeError> {
        let own = OF_THE_CHASSIS
            .iter()
            .map(|(path, streams)| ((*path).to_owned(), Method::new(path, Idempotency::Read, *streams)));
        let mut methods: FxHashMap<_, _> = own.collect();
        for encoded in descriptors {
            let set = FileDescriptorSet::decode(*encoded)?;
            for file in &set.file {
                for service in &file.service {
                    methods.extend(of_service(file, service));
                }
            }
        }
        Ok(Self(methods))
    }

    /// The method at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Method> {
        self.0.get(path)
    }
}

impl Method {
    fn new(path: &str, idempotency: Idempotency, is_client_streaming: bool) -> Self {
        Self { name: path.trim_start_matches('/').into(), idempotency, is_client_streaming }
    }
}

fn of_service<'a>(
    file: &'a FileDescriptorProto,
    service: &'a ServiceDescriptorProto,
) -> impl Iterator<Item = (String, Method)> + 'a {
    service.method.iter().map(move |method| {
        let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
        let method = Method::new(&path, Idempotency::of(method), method.client_streaming());
        (path, method)
    })
}
