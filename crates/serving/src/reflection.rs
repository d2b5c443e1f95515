//! `grpc.reflection.v1` and `v1alpha` over descriptors that stay as they were encoded: decoding and encoding them again would
//! drop their custom options.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use prost::{DecodeError, Message};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, ServiceDescriptorProto,
};
use protocol::provider;
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Status, Streaming, body::Body, server::NamedService};
use tonic_reflection::pb::{
    self,
    v1::{
        ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
        ServerReflectionResponse, ServiceResponse,
        server_reflection_request::MessageRequest,
        server_reflection_response::MessageResponse,
        server_reflection_server::{ServerReflection, ServerReflectionServer},
    },
};
use tower::{Service, ServiceExt};

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// What is reflected besides a contract: health, reflection itself, and the messages in the details of errors.
const STANDARD: [&[u8]; 4] = [
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    pb::v1::FILE_DESCRIPTOR_SET,
    pb::v1alpha::FILE_DESCRIPTOR_SET,
    tonic_types::pb::FILE_DESCRIPTOR_SET,
];

/// The published names of files that tonic's crates call otherwise. A client that was compiled with them would see two files
/// that declare the same messages, and refuse the second.
const PUBLISHED: [(&str, &str); 5] = [
    ("health.proto", "grpc/health/v1/health.proto"),
    ("reflection_v1.proto", "grpc/reflection/v1/reflection.proto"),
    ("reflection_v1alpha.proto", "grpc/reflection/v1alpha/reflection.proto"),
    ("status.proto", "google/rpc/status.proto"),
    ("error_details.proto", "google/rpc/error_details.proto"),
];

/// `FileDescriptorSet` with its files left encoded.
#[derive(Clone, PartialEq, Message)]
struct EncodedFiles {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

/// Server reflection over a set of files, to which health, reflection and `google.rpc` are added.
#[derive(Clone, Debug)]
pub struct Reflection {
    index: Arc<Index>,
    /// Providers whose files are not there yet.
    awaited: Arc<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct Index {
    services: BTreeSet<String>,
    files: HashMap<String, Bytes>,
    symbols: HashMap<String, Bytes>,
    /// By the message that they extend, and their number.
    extensions: HashMap<String, BTreeMap<i32, Bytes>>,
}

impl Reflection {
    /// Indexes encoded `FileDescriptorProto`s; of files with the same name the first counts.
    ///
    /// # Errors
    /// A file that cannot be decoded.
    pub fn new(files: impl IntoIterator<Item = Bytes>) -> Result<Self, DecodeError> {
        let mut index = Index::default();
        for file in files {
            index.add(FileDescriptorProto::decode(file.clone())?, file);
        }
        for file in STANDARD.map(files_of) {
            file?.into_iter().try_for_each(|file| index.add_standard(file))?;
        }
        Ok(Self { index: Arc::new(index), awaited: Arc::default() })
    }

    /// Indexes the files of encoded `FileDescriptorSet`s.
    pub(crate) fn of_sets(sets: &[&'static [u8]]) -> Result<Self, DecodeError> {
        let files: Vec<_> = sets.iter().map(|set| files_of(set)).collect::<Result<_, _>>()?;
        Self::new(files.into_iter().flatten())
    }

    /// Says of what is not there that it is not there yet, if it would be one of these providers'.
    #[must_use]
    pub fn awaiting(self, providers: BTreeSet<String>) -> Self {
        Self { awaited: Arc::new(providers), ..self }
    }

    fn answered(&self, question: ServerReflectionRequest) -> ServerReflectionResponse {
        let answer = question.message_request.as_ref().map_or_else(nothing_asked, |asked| self.find(asked));
        ServerReflectionResponse {
            valid_host: question.host.clone(),
            original_request: Some(question),
            message_response: Some(answer),
        }
    }

    fn find(&self, asked: &MessageRequest) -> MessageResponse {
        let found = self.index.find(asked);
        let provider = match (asked, &found) {
            // Who gets a list takes it for the whole one.
            (MessageRequest::ListServices(_), _) if self.index.has_only_standard() => self.awaited.first(),
            (_, MessageResponse::ErrorResponse(_)) => provider_of(asked).and_then(|name| self.awaited.get(&name)),
            _ => None,
        };
        provider.map_or(found, |provider| {
            let text =
                format!("provider {provider} has not described itself yet: it was away since this gateway started");
            error(Code::Unavailable, text)
        })
    }

    /// Answers a call of either version.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let Ok(response) = self.v1().oneshot(as_v1(request)).await;
        response
    }

    /// The service under its present name; what a request may have at most is `server.max_request_bytes`.
    pub(crate) fn v1(&self) -> ServerReflectionServer<Self> {
        ServerReflectionServer::new(self.clone()).max_decoding_message_size(usize::MAX)
    }

    /// The service under its first name.
    pub(crate) fn v1alpha(&self) -> V1Alpha {
        V1Alpha(self.v1())
    }
}

/// The files of an encoded `FileDescriptorSet`.
fn files_of(set: &'static [u8]) -> Result<Vec<Bytes>, DecodeError> {
    Ok(EncodedFiles::decode(Bytes::from_static(set))?.file)
}

/// A call of either version as one of `v1`: their messages are the same byte for byte.
fn as_v1<B>(mut request: Request<B>) -> Request<B> {
    if request.uri().path() == V1ALPHA {
        *request.uri_mut() = Uri::from_static(V1);
    }
    request
}

/// Reflection under the name that older clients call.
#[derive(Clone, Debug)]
pub(crate) struct V1Alpha(ServerReflectionServer<Reflection>);

impl NamedService for V1Alpha {
    const NAME: &'static str = pb::v1alpha::server_reflection_server::SERVICE_NAME;
}

impl Service<Request<Body>> for V1Alpha {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <ServerReflectionServer<Reflection> as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.call(as_v1(request))
    }
}

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream =
        Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send + 'static>>;

    async fn server_reflection_info(
        &self,
        request: tonic::Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<tonic::Response<Self::ServerReflectionInfoStream>, Status> {
        let reflection = self.clone();
        let answers = request.into_inner().map(move |question| question.map(|question| reflection.answered(question)));
        Ok(tonic::Response::new(Box::pin(answers)))
    }
}

impl Index {
    fn add(&mut self, file: FileDescriptorProto, encoded: Bytes) {
        if self.files.contains_key(file.name()) {
            return;
        }
        let declared = Declared::by(&file);
        self.services.extend(file.service.iter().map(|service| within(file.package(), service.name())));
        self.symbols.extend(declared.symbols.into_iter().map(|name| (name, encoded.clone())));
        for (extendee, number) in declared.extensions {
            self.extensions.entry(extendee).or_default().insert(number, encoded.clone());
        }
        self.files.insert(file.name().to_owned(), encoded);
    }

    fn add_standard(&mut self, encoded: Bytes) -> Result<(), DecodeError> {
        let mut file = FileDescriptorProto::decode(encoded.clone())?;
        let published = PUBLISHED.iter().find(|(name, _)| *name == file.name()).map(|(_, published)| *published);
        let encoded = published.map_or(encoded, |name| {
            file.name = Some(name.to_owned());
            file.encode_to_vec().into()
        });
        self.add(file, encoded);
        Ok(())
    }

    fn has_only_standard(&self) -> bool {
        self.services.iter().all(|name| provider::of_name(name).is_none())
    }

    fn find(&self, asked: &MessageRequest) -> MessageResponse {
        match asked {
            MessageRequest::ListServices(_) => self.list(),
            MessageRequest::FileByFilename(name) => file(self.files.get(name), name),
            MessageRequest::FileContainingSymbol(name) => file(self.symbols.get(name), name),
            MessageRequest::FileContainingExtension(asked) => {
                let extensions = self.extensions.get(&asked.containing_type);
                let name = format!("{} {}", asked.containing_type, asked.extension_number);
                file(extensions.and_then(|extensions| extensions.get(&asked.extension_number)), &name)
            }
            MessageRequest::AllExtensionNumbersOfType(name) => self.extension_numbers(name),
        }
    }

    fn list(&self) -> MessageResponse {
        let service = self.services.iter().map(|name| ServiceResponse { name: name.clone() }).collect();
        MessageResponse::ListServicesResponse(ListServiceResponse { service })
    }

    fn extension_numbers(&self, name: &str) -> MessageResponse {
        let extensions = self.extensions.get(name);
        if extensions.is_none() && !self.symbols.contains_key(name) {
            return not_found(name);
        }
        MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
            base_type_name: name.to_owned(),
            extension_number: extensions.into_iter().flat_map(|numbers| numbers.keys().copied()).collect(),
        })
    }
}

/// The provider whose file or symbol is asked for.
fn provider_of(asked: &MessageRequest) -> Option<String> {
    match asked {
        MessageRequest::FileByFilename(name) => provider::of_name(&name.replace('/', ".")),
        MessageRequest::FileContainingSymbol(name) | MessageRequest::AllExtensionNumbersOfType(name) => {
            provider::of_name(name)
        }
        MessageRequest::FileContainingExtension(asked) => provider::of_name(&asked.containing_type),
        MessageRequest::ListServices(_) => None,
    }
}

fn file(found: Option<&Bytes>, name: &str) -> MessageResponse {
    let Some(encoded) = found else { return not_found(name) };
    MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: vec![encoded.to_vec()] })
}

fn not_found(name: &str) -> MessageResponse {
    error(Code::NotFound, format!("not found: {name}"))
}

fn nothing_asked() -> MessageResponse {
    error(Code::InvalidArgument, "the request has no message_request".to_owned())
}

/// An error in the stream, which goes on.
fn error(code: Code, error_message: String) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse { error_code: code.into(), error_message })
}

/// What a file declares, by full name.
#[derive(Default)]
struct Declared {
    symbols: Vec<String>,
    extensions: Vec<(String, i32)>,
}

impl Declared {
    fn by(file: &FileDescriptorProto) -> Self {
        let (mut declared, package) = (Self::default(), file.package());
        file.message_type.iter().for_each(|message| declared.message(package, message));
        file.enum_type.iter().for_each(|one| declared.enumeration(package, one));
        file.extension.iter().for_each(|one| declared.extension(package, one));
        file.service.iter().for_each(|service| declared.service(package, service));
        declared
    }

    fn message(&mut self, scope: &str, message: &DescriptorProto) {
        let name = within(scope, message.name());
        self.symbols.extend(message.field.iter().map(|field| within(&name, field.name())));
        self.symbols.extend(message.oneof_decl.iter().map(|oneof| within(&name, oneof.name())));
        message.nested_type.iter().for_each(|nested| self.message(&name, nested));
        message.enum_type.iter().for_each(|one| self.enumeration(&name, one));
        message.extension.iter().for_each(|one| self.extension(&name, one));
        self.symbols.push(name);
    }

    /// The values of an enum are named beside it, not in it.
    fn enumeration(&mut self, scope: &str, one: &EnumDescriptorProto) {
        self.symbols.push(within(scope, one.name()));
        self.symbols.extend(one.value.iter().map(|value| within(scope, value.name())));
    }

    fn extension(&mut self, scope: &str, one: &FieldDescriptorProto) {
        self.symbols.push(within(scope, one.name()));
        self.extensions.push((one.extendee().trim_start_matches('.').to_owned(), one.number()));
    }

    fn service(&mut self, package: &str, service: &ServiceDescriptorProto) {
        let name = within(package, service.name());
        self.symbols.extend(service.method.iter().map(|method| within(&name, method.name())));
        self.symbols.push(name);
    }
}

fn within(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}
