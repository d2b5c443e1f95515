//! A suite of one test, and calls to it by name.

use ispbridge::{
    client::Client,
    error::Error,
    reflection::Reflection,
    suite::{Options, Suite},
};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::{ErrorInfo, StatusExt};

/// A suite on free ports.
pub(crate) async fn started() -> Suite {
    Suite::start(Options::default()).await.unwrap()
}

/// Calls a method as a caller with a certain key.
pub(crate) async fn call_as(suite: &Suite, key: &str, method: &str, request: &Value) -> Result<Value, Error> {
    let own = Client::connect(&suite.target()).await?;
    let method = Reflection::open(&own).await?.method(method).await?;
    let client = Client::connect(&suite.target().with_key(key)?).await?;
    let reply = client.call(&method, &request.to_string(), None).await?;
    Ok(serde_json::from_str(&reply).unwrap())
}

/// Calls `provider.Service/Method` with the key that may do everything.
pub(crate) async fn ask(suite: &Suite, method: &str, request: Value) -> Value {
    let method = full(method);
    match call_as(suite, suite.key(), &method, &request).await {
        Ok(reply) => reply,
        Err(error) => panic!("{method}: {}", ispbridge::failure::text(&error)),
    }
}

/// Calls `provider.Service/Method`, which is to fail, and returns its status with the one `ErrorInfo`.
pub(crate) async fn refused(suite: &Suite, key: &str, method: &str, request: Value) -> (Status, ErrorInfo) {
    let answer = call_as(suite, key, &full(method), &request).await;
    let Err(Error::Status(status)) = answer else { panic!("no status: {answer:?}") };
    let info = status.get_details_error_info().unwrap();
    (*status, info)
}

fn full(method: &str) -> String {
    let (provider, rest) = method.split_once('.').unwrap();
    format!("ispbridge.{provider}.v1.{rest}")
}

/// Compares code, reason, domain and outcome.
pub(crate) fn assert_refusal((status, info): &(Status, ErrorInfo), code: Code, reason: &str, rest: (&str, &str)) {
    let outcome = info.metadata.get("outcome").map_or("", String::as_str);
    let seen = (status.code(), info.reason.as_str(), (info.domain.as_str(), outcome));
    assert_eq!(seen, (code, reason, rest), "{}", status.message());
}

/// A customer that nobody has registered yet.
pub(crate) fn new_customer() -> Value {
    json!({ "customer": {
        "firstName": "Thandi", "lastName": "Example", "email": "thandi@example.com",
        "password": "s33kret", "mobileNumber": "1234567890",
    } })
}
