//! Discovers a provider's methods and descriptors through its service's reflection.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use prost::Message;
use prost_types::{FileDescriptorProto, ServiceDescriptorProto};
use protocol::method::Idempotency;
use protocol::provider;
use rustc_hash::FxHashMap;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::{catalog::Signature, fleet::route::Route, forward::channel::Channel};

/// Most files and bytes of descriptors that one provider may have.
const FILES: usize = 1000;
const BYTES: usize = 16 << 20;

/// How long the discovery of one provider may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the discovery failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscoveryError {
    /// The reflection call failed.
    #[error("reflection failed: {0}")]
    Call(tonic::Code),
    /// The answer was not what the protocol asks for.
    #[error("reflection answered with something else: {0}")]
    Answer(&'static str),
    /// It took too long.
    #[error("reflection took too long")]
    Late,
}

/// The description of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Description {
    /// Encoded `FileDescriptorProto` by file name: not decoded and encoded again, which would drop custom options.
    pub(crate) files: BTreeMap<String, Bytes>,
    /// The provider's own methods, `package.Service/Method`.
    pub(crate) methods: FxHashMap<Arc<str>, Signature>,
    /// The provider's own services.
    pub(crate) services: Vec<String>,
}

/// Files that many providers import, each of which is held once for all of them.
#[derive(Debug, Default)]
pub(crate) struct SharedFiles(HashMap<String, Bytes>);

impl SharedFiles {
    /// Gives a description the files that others have already.
    pub(crate) fn join(&mut self, description: &mut Description) {
        self.0.retain(|_, file| !file.is_unique());
        for (name, file) in &mut description.files {
            if !(name.starts_with("google/") || name.starts_with("ispbridge/type/")) {
                continue;
            }
            match self.0.get(name) {
                Some(same) if same == file => *file = same.clone(),
                _ => drop(self.0.insert(name.clone(), file.clone())),
            }
        }
    }
}

impl Description {
    /// Adds a file; the names of those that it imports.
    pub(crate) fn add(&mut self, segment: &str, encoded: Vec<u8>) -> Result<Vec<String>, DiscoveryError> {
        let file = FileDescriptorProto::decode(encoded.as_slice())
            .map_err(|_| DiscoveryError::Answer("an unreadable file descriptor"))?;
        let name = file.name().to_owned();
        if !may_describe(segment, file.package()) {
            return Err(DiscoveryError::Answer("a file of a foreign package"));
        }
        for service in &file.service {
            self.add_service(segment, &file, service);
        }
        self.files.insert(name, encoded.into());
        Ok(file.dependency)
    }

    fn add_service(&mut self, segment: &str, file: &FileDescriptorProto, service: &ServiceDescriptorProto) {
        let name = format!("{}.{}", file.package(), service.name());
        if provider::segment_of_service(&name) != Some(segment) {
            return;
        }
        for method in &service.method {
            let idempotency = Idempotency::of(method);
            let signature = Signature { idempotency, is_client_streaming: method.client_streaming() };
            self.methods.insert(format!("{name}/{}", method.name()).into(), signature);
        }
        self.services.push(name);
    }

    fn is_too_big(&self) -> bool {
        self.files.len() > FILES || self.files.values().map(Bytes::len).sum::<usize>() > BYTES
    }
}

/// Asks an instance for its services and all files that they need.
pub(crate) async fn discover(route: &Arc<Route>, segment: &str) -> Result<Description, DiscoveryError> {
    timeout(PATIENCE, Conversation::open(route).await?.describe(segment)).await.unwrap_or(Err(DiscoveryError::Late))
}

/// One reflection stream: a question, an answer, the next question.
struct Conversation {
    questions: mpsc::Sender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
}

impl Conversation {
    async fn open(route: &Arc<Route>) -> Result<Self, DiscoveryError> {
        let (questions, asked) = mpsc::channel(1);
        let channel = Channel(Arc::clone(route));
        let mut client = ServerReflectionClient::with_origin(channel, Channel::origin());
        // Some servers send the head of the reply only after the first question.
        let first = question(MessageRequest::ListServices(String::new()));
        questions.try_send(first).map_err(|_| DiscoveryError::Answer("nothing"))?;
        let reply = client.server_reflection_info(ReceiverStream::new(asked)).await;
        let answers = reply.map_err(|status| DiscoveryError::Call(status.code()))?.into_inner();
        Ok(Self { questions, answers })
    }

    async fn describe(mut self, segment: &str) -> Result<Description, DiscoveryError> {
        let MessageResponse::ListServicesResponse(list) = self.answer().await? else {
            return Err(DiscoveryError::Answer("no list of services"));
        };
        let names = list.service.into_iter().map(|service| service.name);
        let own = names.filter(|name| provider::segment_of_service(name) == Some(segment));
        let mut wanted: VecDeque<_> = own.map(MessageRequest::FileContainingSymbol).collect();
        let mut description = Description::default();
        while let Some(request) = wanted.pop_front() {
            if matches!(&request, MessageRequest::FileByFilename(name) if description.files.contains_key(name)) {
                continue;
            }
            for file in self.files(request).await? {
                let dependencies = description.add(segment, file)?;
                wanted.extend(dependencies.into_iter().map(MessageRequest::FileByFilename));
            }
            if description.is_too_big() {
                return Err(DiscoveryError::Answer("too many descriptors"));
            }
        }
        description.services.sort_unstable();
        description.services.dedup();
        Ok(description)
    }

    async fn files(&mut self, request: MessageRequest) -> Result<Vec<Vec<u8>>, DiscoveryError> {
        let sent = self.questions.send(question(request)).await;
        sent.map_err(|_| DiscoveryError::Answer("the end of the stream"))?;
        match self.answer().await? {
            MessageResponse::FileDescriptorResponse(files) => Ok(files.file_descriptor_proto),
            _ => Err(DiscoveryError::Answer("no file")),
        }
    }

    async fn answer(&mut self) -> Result<MessageResponse, DiscoveryError> {
        let message = self.answers.message().await;
        let message = message.map_err(|status| DiscoveryError::Call(status.code()))?;
        message.and_then(|response| response.message_response).ok_or(DiscoveryError::Answer("nothing"))
    }
}

fn question(message: MessageRequest) -> ServerReflectionRequest {
    ServerReflectionRequest { host: String::new(), message_request: Some(message) }
}

/// A service describes its own package and what is shared, never another provider's.
fn may_describe(segment: &str, package: &str) -> bool {
    package == provider::package(segment)
        || package == "ispbridge.type.v1"
        || package == "google"
        || package.starts_with("google.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_describes_only_itself_and_what_is_shared() {
        for package in ["ispbridge.aex.v1", "ispbridge.type.v1", "google.protobuf", "google.api"] {
            assert!(may_describe("aex", package), "{package}");
        }
        for package in ["ispbridge.azotel.v1", "ispbridge.aex.v2", "grpc.health.v1", "", "googlex"] {
            assert!(!may_describe("aex", package), "{package}");
        }
    }
}
