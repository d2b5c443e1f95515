//! Calls through the gateway, their messages as proto JSON.

use std::{sync::LazyLock, time::Duration};

use ispbridge::{dynamic::DynamicCodec, programs::PROVIDERS};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use serde_json::Value;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tonic_types::{ErrorInfo, StatusExt};

use crate::harness::{Harness, MAIN};

/// Long enough for every repeat, shorter than a test's patience.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The descriptors of every provider, options of our own included.
pub(crate) static POOLS: LazyLock<Vec<(&str, DescriptorPool)>> = LazyLock::new(|| {
    let contracts = PROVIDERS.iter().map(|row| row.contract);
    contracts.map(|own| (own.provider, DescriptorPool::decode(own.descriptors).unwrap())).collect()
});

/// One call before it is made.
pub(crate) struct Call<'a> {
    method: &'a str,
    request: Value,
    timeout: Duration,
    headers: Vec<(&'static str, String)>,
}

/// A status and its one `ErrorInfo`.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    pub(crate) info: ErrorInfo,
}

impl<'a> Call<'a> {
    /// A call of `provider.Service/Method` with the good account.
    pub(crate) fn new(method: &'a str, request: Value) -> Self {
        Self { method, request, timeout: TIMEOUT, headers: vec![("x-ispbridge-account", MAIN.to_owned())] }
    }

    /// Adds or replaces a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    /// Waits this long for the answer.
    pub(crate) fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends it to an address.
    pub(crate) async fn send(self, address: String) -> Result<Value, Status> {
        let channel = Endpoint::from_shared(address).unwrap().connect().await.unwrap();
        self.send_over(channel).await
    }

    /// Sends it over a connection.
    pub(crate) async fn send_over(self, channel: Channel) -> Result<Value, Status> {
        let method = method(self.method);
        let mut request = Request::new(DynamicMessage::deserialize(method.input(), self.request).unwrap());
        request.set_timeout(self.timeout);
        for (name, value) in self.headers {
            request.metadata_mut().insert(name, value.parse().unwrap());
        }
        let mut grpc: Grpc<Channel> = Grpc::new(channel).max_decoding_message_size(64 << 20);
        grpc.ready().await.unwrap();
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name()).parse().unwrap();
        let reply = grpc.unary(request, path, DynamicCodec::new(method.output())).await?.into_inner();
        let options = SerializeOptions::new();
        Ok(reply.serialize_with_options(serde_json::value::Serializer, &options).unwrap())
    }
}

impl Harness {
    /// Makes a call with the key that may do everything, unless the call brings its own.
    pub(crate) async fn send(&self, mut call: Call<'_>) -> Result<Value, Status> {
        if call.headers.iter().all(|(name, _)| *name != "x-api-key") {
            call = call.with("x-api-key", self.secrets.key.clone());
        }
        call.send(self.address()).await
    }

    /// Makes a call that is to succeed.
    pub(crate) async fn ask(&self, method: &str, request: Value) -> Value {
        self.send(Call::new(method, request)).await.unwrap_or_else(|status| panic!("{method}: {status:?}"))
    }

    /// Makes a call that is to fail.
    pub(crate) async fn refused(&self, method: &str, request: Value) -> Refusal {
        self.refused_call(Call::new(method, request)).await
    }

    /// Makes a call that is to fail.
    pub(crate) async fn refused_call(&self, call: Call<'_>) -> Refusal {
        Refusal::of(self.send(call).await.unwrap_err())
    }
}

impl Refusal {
    pub(crate) fn of(status: Status) -> Self {
        let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
        Self { status, info }
    }

    /// One entry of the metadata, empty if it is absent.
    pub(crate) fn note(&self, key: &str) -> &str {
        self.info.metadata.get(key).map_or("", String::as_str)
    }

    /// Compares code, reason and outcome.
    #[track_caller]
    pub(crate) fn assert(&self, code: Code, reason: &str, outcome: &str) {
        let seen = (self.status.code(), self.info.reason.as_str(), self.note("outcome"));
        assert_eq!(seen, (code, reason, outcome), "{}", self.status.message());
    }
}

/// The method that `provider.Service/Method` names.
pub(crate) fn method(name: &str) -> MethodDescriptor {
    let (provider, rest) = name.split_once('.').unwrap();
    let (service, method) = rest.split_once('/').unwrap();
    let pool = POOLS.iter().find(|(known, _)| *known == provider).map(|(_, pool)| pool).unwrap();
    let service = pool.get_service_by_name(&format!("ispbridge.{provider}.v1.{service}")).unwrap();
    service.methods().find(|known| known.name() == method).unwrap_or_else(|| panic!("no method {name}"))
}
