//! Where each protocol has `x-ispbridge-timing`, as the README tells.

use super::{Answer, post, web::split};
use crate::{KEY, backend::GET, payload, suite};

const TIMING: &str = "x-ispbridge-timing";
const GONE: &str = "/ispbridge.fake_isp.v1.CustomerService/Gone";

fn in_body(answer: &Answer) -> bool {
    let (_, trailers) = split(&answer.body);
    trailers.iter().any(|line| line.starts_with("x-ispbridge-timing: gateway;dur="))
}

#[tokio::test]
async fn the_time_of_a_call_stands_where_its_protocol_has_trailers() {
    let (_backend, suite) = suite().await;
    suite.until_learnt().await;
    let (reply, error) = (suite.call(GET, &[KEY], payload()).await, suite.call(GONE, &[KEY], payload()).await);
    assert!(!reply.headers.contains_key(TIMING) && reply.trailers.contains_key(TIMING), "{reply:?}");
    assert!(error.trailers.contains_key(TIMING) || error.headers.contains_key(TIMING), "{error:?}");

    let web = "application/grpc-web+proto";
    let reply = post(&suite, GET, web, payload()).await;
    assert!(in_body(&reply) && reply.header(TIMING).is_empty(), "{reply:?}");
    let error = post(&suite, GONE, web, payload()).await;
    assert!(in_body(&error), "{error:?}");

    let json = "application/json";
    let reply = post(&suite, GET, json, r#"{"name":"abc"}"#).await;
    assert!(reply.header("trailer-x-ispbridge-timing").starts_with("gateway;dur="), "{reply:?}");
    let error = post(&suite, GONE, json, "{}").await;
    assert!(error.status != 200 && error.header(TIMING).starts_with("gateway;dur="), "{error:?}");
}
