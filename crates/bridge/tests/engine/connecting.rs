//! Writes whose time runs out before, while and after a connection is made.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bridge::{
    Upstream,
    fault::{Kind, Outcome},
    http::{BaseUrl, Client, HttpRequest, Transport},
};
use ispbridge_kit::{Act, Hostile, hostile::Deaf};
use tokio::{task::JoinSet, time::Instant};

use super::{Answer, ok, request, said, transport, upstream_at, within};
use crate::contract::ScalarsRequest;

/// An upstream that may take longer to connect than anybody waits here.
fn patient(address: String, first_byte_seconds: f64) -> Upstream {
    upstream_at(address, Transport { connect_seconds: 10.0, first_byte_seconds, ..transport() }, false)
}

async fn write_within(upstream: &Upstream, wait: Duration, message: ScalarsRequest) -> Answer {
    let call = upstream.call(&within(wait)).expect("the one account");
    call.write("op", message).await
}

/// Where a connection is never there: the kernel does not answer, or the server says no word of TLS.
fn unreachable(deaf: SocketAddr, mute: SocketAddr) -> [String; 2] {
    [format!("http://{deaf}/"), format!("https://{mute}/")]
}

#[tokio::test]
async fn a_write_that_has_no_connection_in_time_was_not_sent() {
    let (deaf, mute) = (Deaf::start().await, Hostile::script(vec![Act::Mute]).await);
    let (short, long) = (Duration::from_millis(300), Duration::from_secs(20));
    for address in unreachable(deaf.address, mute.address) {
        let by_deadline = write_within(&patient(address.clone(), 10.0), short, request().into_inner()).await;
        assert_eq!(said(by_deadline), (Kind::DeadlineExceeded, Outcome::NotSent, "DEADLINE_TOO_SHORT"), "{address}");
        let by_patience = write_within(&patient(address.clone(), 0.3), long, request().into_inner()).await;
        assert_eq!(said(by_patience), (Kind::Unavailable, Outcome::NotSent, "UPSTREAM_UNREACHABLE"), "{address}");
    }
    assert_eq!(mute.requests().len(), 0);
}

/// Deadlines around the moment in which the connection is there: whatever the race, who was told that nothing was sent was
/// told the truth. The client is asked by itself: the breaker of an account would soon stop this.
#[tokio::test(flavor = "multi_thread")]
async fn no_write_that_was_sent_is_said_not_to_have_been() {
    let server = Hostile::script(vec![Act::Late(Duration::from_millis(50), ok())]).await;
    let base = BaseUrl::try_from(format!("http://{}/", server.address)).expect("an address");
    let client = Arc::new(Client::new(&base, &transport()).expect("a client"));
    let mut unsent = Vec::new();
    for round in 0..20 {
        let mut calls = JoinSet::new();
        for number in 0..20 {
            let (client, name) = (client.clone(), format!("{round}-{number}."));
            let request = HttpRequest::post(base.url().clone(), "text/plain", name.clone());
            let deadline = Instant::now() + Duration::from_micros(300 * number);
            calls.spawn(async move { (name, client.send(&request, true, deadline).await) });
        }
        for (name, answer) in calls.join_all().await {
            unsent.extend(answer.err().filter(|fault| fault.outcome() == Outcome::NotSent).map(|_| name));
        }
    }
    server.until_closed().await;
    let received = unsent.iter().filter(|name| server.count(&format!("\n{name}")) > 0).collect::<Vec<_>>();
    assert!(received.is_empty(), "{received:?}");
    assert!(!server.requests().is_empty(), "some had time enough");
}
