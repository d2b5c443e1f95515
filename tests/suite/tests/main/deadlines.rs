//! Deadlines of all sizes, and what is none.

use std::time::Duration;

use h2::client::SendRequest;
use http::Response;
use ispbridge_kit::{
    Act, Hostile,
    clock::comes,
    http2::{call_with, framed, peer},
};
use prost_reflect::{DynamicMessage, prost::Message};
use tonic::Code;

use crate::{
    caller::{Refusal, method},
    wires::{Account, Site, VERBS, Verb, WIRES, calls},
};

/// A call with headers of any kind, which a library would not let pass.
async fn send(site: &Site, sender: &mut SendRequest<bytes::Bytes>, verb: Verb, timeout: Option<&str>) -> Code {
    let method = method(site.wire.method(verb));
    let message = DynamicMessage::deserialize(method.input(), site.wire.request(verb)).unwrap();
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let headers: Vec<_> = timeout.map(|timeout| ("grpc-timeout", timeout)).into_iter().collect();
    code(call_with(sender, &path, &headers, framed(&message.encode_to_vec())).await.await.unwrap()).await
}

async fn code(mut response: Response<h2::RecvStream>) -> Code {
    while let Some(data) = response.body_mut().data().await {
        drop(data.unwrap());
    }
    let trailers = response.body_mut().trailers().await.unwrap();
    let headers = trailers.as_ref().unwrap_or(response.headers());
    Code::from_bytes(headers["grpc-status"].as_bytes())
}

#[tokio::test]
async fn a_call_that_has_no_time_left_is_not_made() {
    for &wire in WIRES {
        let upstream = wire.upstream(vec![Act::Answer(wire.reply(Verb::Read).bytes())]).await;
        let site = Site::at(wire, &upstream).await;
        let (mut sender, _connection) = peer(site.address, 1 << 20).await;
        for timeout in ["0S", "1n", "1m", "10m", "50m"] {
            for verb in VERBS {
                let told = comes(send(&site, &mut sender, verb, Some(timeout))).await;
                let late = told == Code::DeadlineExceeded || (told == Code::Aborted && verb == Verb::Write);
                assert!(late, "{wire:?} {verb:?} {timeout}: {told:?}");
            }
        }
        assert_eq!(calls(&upstream), 0, "{wire:?}");
    }
}

#[tokio::test]
async fn a_write_that_finds_no_connection_by_its_deadline_was_not_sent() {
    for &wire in WIRES {
        let mute = Hostile::script(vec![Act::Mute]).await;
        let origin = format!("https://{}", mute.address);
        let account = Account { alias: "main".to_owned(), origin, transport: "connect_seconds = 20.0".to_owned() };
        let site = Site::open(wire, &[account]).await;
        let refused = site.call(Verb::Write, "main", Duration::from_secs(1)).await.unwrap_err();
        Refusal::of(refused).assert(Code::DeadlineExceeded, "DEADLINE_TOO_SHORT", "NOT_SENT");
        assert_eq!(calls(&mute), 0, "{wire:?}");
    }
}

#[tokio::test]
async fn a_deadline_that_is_none_is_refused_and_an_endless_one_does_no_harm() {
    for &wire in WIRES {
        let upstream = wire.upstream(vec![Act::Answer(wire.reply(Verb::Read).bytes())]).await;
        let site = Site::at(wire, &upstream).await;
        let (mut sender, _connection) = peer(site.address, 1 << 20).await;
        for (number, timeout) in [None, Some("99999999H")].into_iter().enumerate() {
            assert_eq!(send(&site, &mut sender, Verb::Read, timeout).await, Code::Ok, "{wire:?} {timeout:?}");
            assert_eq!(calls(&upstream), number + 1);
        }
        for timeout in ["123456789S", "soon", "-1S", "10", "1 S"] {
            let code = send(&site, &mut sender, Verb::Read, Some(timeout)).await;
            assert_eq!((code, calls(&upstream)), (Code::InvalidArgument, 2), "{wire:?} {timeout:?}");
        }
    }
}
