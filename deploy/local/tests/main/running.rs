//! Starting and stopping.

use std::net::SocketAddr;

use ispbridge::{
    client::Client,
    error::Error as ClientError,
    suite::{Error, Options, Suite},
};

use crate::caller::started;

#[tokio::test]
async fn a_taken_address_is_named_and_what_had_started_is_stopped() {
    let first = started().await;
    let options = Options { grpc: first.address(), ..Options::default() };
    let Err(error) = Suite::start(options).await else { panic!("two suites on one address") };
    let Error::Process(name, config::Error::Listen { address, .. }) = error else { panic!("{error}") };
    assert_eq!((name, address), ("ispbridge-gateway", first.address()));
    first.stop().await;
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    for options in [Options { grpc: any, ..Options::default() }, Options { admin: any, ..Options::default() }] {
        assert!(matches!(Suite::start(options).await, Err(Error::NotLoopback(address)) if address == any));
    }
}

#[tokio::test]
async fn a_stopped_suite_is_gone_from_every_address() {
    let suite = started().await;
    let (target, upstream) = (suite.target(), suite.sandbox().address("aex"));
    assert!(Client::connect(&target).await.is_ok());
    suite.stop().await;
    assert!(matches!(Client::connect(&target).await, Err(ClientError::Unreachable { .. })));
    assert!(tokio::net::TcpStream::connect(upstream).await.is_err());
}
