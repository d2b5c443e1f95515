//! The test service of gRPC's interoperability tests, without the gateway's chassis: it answers as any gRPC server does.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use prost::Message;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream, wrappers::TcpListenerStream};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    codegen::BoxFuture,
    server::{Grpc, NamedService},
    service::Routes,
    transport::Server,
};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use crate::script::path;

/// Package of the service.
pub(crate) const PACKAGE: &str = "ispbridge.interop.v1.";

#[derive(Clone, PartialEq, Message)]
struct Payload {
    #[prost(bytes = "bytes", tag = "2")]
    body: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct EchoStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[derive(Clone, PartialEq, Message)]
struct SimpleRequest {
    #[prost(int32, tag = "2")]
    response_size: i32,
    #[prost(message, optional, tag = "3")]
    payload: Option<Payload>,
    #[prost(message, optional, tag = "7")]
    response_status: Option<EchoStatus>,
}

/// `SimpleResponse`, `StreamingOutputCallResponse` and `StreamingInputCallRequest` have one form.
#[derive(Clone, PartialEq, Message)]
struct WithPayload {
    #[prost(message, optional, tag = "1")]
    payload: Option<Payload>,
}

#[derive(Clone, PartialEq, Message)]
struct Size {
    #[prost(int32, tag = "1")]
    size: i32,
}

#[derive(Clone, PartialEq, Message)]
struct OutputRequest {
    #[prost(message, repeated, tag = "2")]
    response_parameters: Vec<Size>,
    #[prost(message, optional, tag = "7")]
    response_status: Option<EchoStatus>,
}

type Replies = Pin<Box<dyn Stream<Item = Result<WithPayload, Status>> + Send>>;

#[derive(Debug, Clone)]
struct TestService;

impl NamedService for TestService {
    const NAME: &'static str = "ispbridge.interop.v1.TestService";
}

/// Starts the service and returns its address; it ends with the test.
pub(crate) async fn start() -> SocketAddr {
    let folder = path("proto");
    let mut compiler = protox::Compiler::new([folder]).unwrap();
    compiler.include_imports(true).open_file("ispbridge/interop/v1/test.proto").unwrap();
    let set = compiler.encode_file_descriptor_set();
    let reflection = tonic_reflection::server::Builder::configure();
    let reflection = reflection.register_encoded_file_descriptor_set(&set).build_v1().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Routes::new(TestService).add_service(reflection);
    tokio::spawn(Server::builder().add_routes(routes).serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

impl Service<http::Request<Body>> for TestService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "EmptyCall" => Grpc::new(ProstCodec::default()).unary(service_fn(empty), request).await,
                "UnaryCall" => Grpc::new(ProstCodec::default()).unary(service_fn(unary), request).await,
                "StreamingOutputCall" => {
                    Grpc::new(ProstCodec::default()).server_streaming(service_fn(output), request).await
                }
                "StreamingInputCall" => {
                    Grpc::new(ProstCodec::default()).client_streaming(service_fn(input), request).await
                }
                "FullDuplexCall" => Grpc::new(ProstCodec::default()).streaming(service_fn(duplex), request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

async fn empty(_: Request<()>) -> Result<Response<()>, Status> {
    Ok(Response::new(()))
}

async fn unary(request: Request<SimpleRequest>) -> Result<Response<WithPayload>, Status> {
    let request = request.into_inner();
    told(request.response_status)?;
    Ok(Response::new(of_size(request.response_size)))
}

async fn output(request: Request<OutputRequest>) -> Result<Response<Replies>, Status> {
    Ok(Response::new(Box::pin(tokio_stream::iter(replies(request.into_inner())))))
}

async fn input(request: Request<Streaming<WithPayload>>) -> Result<Response<Size>, Status> {
    let (mut requests, mut size) = (request.into_inner(), 0);
    while let Some(one) = requests.message().await? {
        size += one.payload.map_or(0, |payload| payload.body.len());
    }
    Ok(Response::new(Size { size: i32::try_from(size).unwrap() }))
}

async fn duplex(request: Request<Streaming<OutputRequest>>) -> Result<Response<Replies>, Status> {
    let (sender, replied) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut requests = request.into_inner();
        while let Some(Ok(one)) = requests.next().await {
            for reply in replies(one) {
                if sender.send(reply).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(Response::new(Box::pin(ReceiverStream::new(replied))))
}

/// What a request asks for, and then its status.
fn replies(request: OutputRequest) -> Vec<Result<WithPayload, Status>> {
    let sizes = request.response_parameters.into_iter().map(|one| Ok(of_size(one.size)));
    sizes.chain(told(request.response_status).err().map(Err)).collect()
}

fn told(status: Option<EchoStatus>) -> Result<(), Status> {
    match status {
        Some(EchoStatus { code, message }) if code != 0 => Err(Status::new(Code::from_i32(code), message)),
        _ => Ok(()),
    }
}

fn of_size(size: i32) -> WithPayload {
    WithPayload { payload: Some(Payload { body: vec![0; usize::try_from(size).unwrap()].into() }) }
}
