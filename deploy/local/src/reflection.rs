//! What a gateway can do, by `grpc.reflection.v1`.

use std::collections::BTreeMap;

use prost::Message;
use prost_reflect::{DescriptorPool, MethodDescriptor, ServiceDescriptor};
use prost_types::FileDescriptorProto;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::{client::Client, error::Error, print};

/// Most files of one contract; a server that keeps on naming more is not believed.
const FILES: usize = 1000;

/// One reflection stream: a question, an answer, the next question.
pub struct Reflection {
    questions: mpsc::Sender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
    services: Vec<String>,
}

/// `FileDescriptorSet` with its files left encoded: prost-types would drop the custom options in them.
#[derive(Clone, PartialEq, Message)]
struct EncodedFiles {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

impl Reflection {
    /// Opens the stream and asks for the services.
    ///
    /// # Errors
    /// What the gateway answers in place of its services.
    pub async fn open(client: &Client) -> Result<Self, Error> {
        let (questions, asked) = mpsc::channel(1);
        // Some servers send the head of the reply only after the first question.
        send(&questions, MessageRequest::ListServices(String::new())).await?;
        let mut reflection = ServerReflectionClient::new(client.channel());
        let stream = client.request(ReceiverStream::new(asked));
        let answered = reflection.server_reflection_info(stream).await;
        let mut answers = answered.map_err(|status| client.unreachable(status))?.into_inner();
        let MessageResponse::ListServicesResponse(list) = next(&mut answers).await? else {
            return Err(strange());
        };
        let mut services: Vec<String> = list.service.into_iter().map(|entry| entry.name).collect();
        services.sort_unstable();
        Ok(Self { questions, answers, services })
    }

    /// Full names of the services, in order.
    #[must_use]
    pub fn services(&self) -> &[String] {
        &self.services
    }

    /// The pool with everything that a symbol (service, method or message) needs.
    ///
    /// # Errors
    /// A symbol that is not there.
    pub async fn pool(&mut self, symbol: &str) -> Result<DescriptorPool, Error> {
        let mut files = BTreeMap::new();
        let mut wanted = vec![MessageRequest::FileContainingSymbol(self.known(symbol).to_owned())];
        while let Some(question) = wanted.pop() {
            if matches!(&question, MessageRequest::FileByFilename(name) if files.contains_key(name)) {
                continue;
            }
            for encoded in self.ask(question, symbol).await? {
                let file = FileDescriptorProto::decode(encoded.as_slice()).map_err(|_| strange())?;
                files.insert(file.name().to_owned(), encoded);
                wanted.extend(file.dependency.into_iter().map(MessageRequest::FileByFilename));
            }
            if files.len() > FILES {
                return Err(strange());
            }
        }
        let set = EncodedFiles { file: files.into_values().collect() };
        DescriptorPool::decode(set.encode_to_vec().as_slice())
            .map_err(|error| Error::Protocol(format!("the contract cannot be read: {error}")))
    }

    /// The method that `package.Service/Method` names.
    ///
    /// # Errors
    /// A name that is none, or that nothing here has.
    pub async fn method(&mut self, name: &str) -> Result<MethodDescriptor, Error> {
        let (service, method) = name
            .trim_start_matches('/')
            .split_once('/')
            .ok_or_else(|| Error::Argument(format!("{name:?} names no method; write package.Service/Method")))?;
        let service = self.service(service).await?;
        let mut methods = service.methods();
        methods.find(|known| known.name() == method).ok_or_else(|| unknown(name))
    }

    /// The service of this full name.
    ///
    /// # Errors
    /// A name that no service here has.
    pub async fn service(&mut self, name: &str) -> Result<ServiceDescriptor, Error> {
        let pool = self.pool(name).await?;
        pool.get_service_by_name(name).ok_or_else(|| unknown(name))
    }

    /// A service, a method, a message or an enum as text.
    ///
    /// # Errors
    /// A symbol that is not there.
    pub async fn describe(&mut self, symbol: &str) -> Result<String, Error> {
        let symbol = symbol.trim_start_matches('/').replace('/', ".");
        let pool = self.pool(&symbol).await?;
        print::symbol(&pool, &symbol).ok_or_else(|| unknown(&symbol))
    }

    /// The part of a symbol that is sure to be found: not every server finds methods.
    fn known<'a>(&'a self, symbol: &'a str) -> &'a str {
        let is_inside =
            |service: &&String| symbol.strip_prefix(service.as_str()).is_some_and(|rest| rest.starts_with('.'));
        self.services.iter().find(is_inside).map_or(symbol, String::as_str)
    }

    async fn ask(&mut self, question: MessageRequest, symbol: &str) -> Result<Vec<Vec<u8>>, Error> {
        send(&self.questions, question).await?;
        match next(&mut self.answers).await {
            Ok(MessageResponse::FileDescriptorResponse(found)) => Ok(found.file_descriptor_proto),
            Ok(_) => Err(strange()),
            Err(Error::Status(status)) if status.code() == Code::NotFound => Err(unknown(symbol)),
            Err(error) => Err(error),
        }
    }
}

async fn send(questions: &mpsc::Sender<ServerReflectionRequest>, question: MessageRequest) -> Result<(), Error> {
    let question = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    questions.send(question).await.map_err(|_| strange())
}

async fn next(answers: &mut Streaming<ServerReflectionResponse>) -> Result<MessageResponse, Error> {
    let answer = answers.message().await?.and_then(|answer| answer.message_response);
    match answer.ok_or_else(strange)? {
        MessageResponse::ErrorResponse(error) => {
            Err(Status::new(Code::from(error.error_code), error.error_message).into())
        }
        answer => Ok(answer),
    }
}

fn unknown(symbol: &str) -> Error {
    Error::Argument(format!("there is no {symbol} here; `ispbridge list` shows what there is"))
}

fn strange() -> Error {
    Error::Protocol("reflection answered with something else than was asked for".to_owned())
}
