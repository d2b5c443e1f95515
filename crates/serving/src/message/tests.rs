use std::convert::Infallible;

use http::HeaderValue;
use tokio_stream::{self as stream, StreamExt};
use tonic::Code;

use super::*;

const MAX: usize = 10;

/// Reads a request that comes in parts of so many bytes.
async fn received(body: &[u8], size: usize) -> Result<Bytes, Code> {
    let parts: Vec<_> = body.chunks(size).map(|part| Ok::<_, Infallible>(Bytes::copy_from_slice(part))).collect();
    let body = Body::from_stream(stream::iter(parts));
    let notes = CallNotes::default();
    let read = read(&notes, &HeaderMap::new(), body, MAX as u64).await;
    assert_eq!(notes.awaits_request(), read.is_err());
    read.map_err(|status| status.code())
}

#[tokio::test]
async fn one_message_is_read_wherever_it_is_cut() {
    for message in [&b""[..], b"a", &[7; MAX]] {
        let framed = envelope(0, message);
        for size in 1..=framed.len() {
            assert_eq!(received(&framed, size).await.unwrap(), framed, "{size}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_wherever_it_is_cut() {
    let one = envelope(0, b"one");
    let cases = [
        (vec![], Code::Unimplemented),
        ([&one[..], &one].concat(), Code::Unimplemented),
        ([&one[..], b"x"].concat(), Code::Unimplemented),
        ([&envelope(0, b"")[..], &one].concat(), Code::Unimplemented),
        (one[..3].to_vec(), Code::InvalidArgument),
        (one[..5].to_vec(), Code::InvalidArgument),
        (one[..7].to_vec(), Code::InvalidArgument),
        (envelope(0, &[7; MAX + 1]).to_vec(), Code::ResourceExhausted),
        (vec![0, 0xff, 0xff, 0xff, 0xff], Code::ResourceExhausted),
        (envelope(1, b"one").to_vec(), Code::Internal),
        (envelope(2, b"one").to_vec(), Code::Internal),
        (envelope(0x80, b"one").to_vec(), Code::Internal),
    ];
    for (body, code) in cases {
        for size in 1..=body.len().max(1) {
            assert_eq!(received(&body, size).await.unwrap_err(), code, "{body:?} by {size}");
        }
    }
}

#[tokio::test]
async fn what_ends_a_body_is_the_answer() {
    let ended = |status: Status| async {
        let parts = stream::iter([Ok(Bytes::from_static(&[0, 0]))]).chain(stream::once(Err(status)));
        let body = Body::from_stream(parts);
        read(&CallNotes::default(), &HeaderMap::new(), body, 10).await.unwrap_err().code()
    };
    assert_eq!(ended(too_large()).await, Code::ResourceExhausted);
    assert_eq!(ended(Status::cancelled("the peer is gone")).await, Code::InvalidArgument);
}

#[test]
fn an_encoding_is_known_or_refused() {
    let of = |name: &'static str| {
        let headers = HeaderMap::from_iter([(protocol::headers::GRPC_ENCODING, HeaderValue::from_static(name))]);
        Encoding::of(&headers).map_err(|status| status.metadata().get("grpc-accept-encoding").unwrap().clone())
    };
    assert_eq!(Encoding::of(&HeaderMap::new()).unwrap(), Encoding::Identity);
    for (name, encoding) in [("", Encoding::Identity), ("Identity", Encoding::Identity), ("GZIP", Encoding::Gzip)] {
        assert_eq!(of(name).unwrap(), encoding);
    }
    for name in ["br", "deflate", "x-gzip", "gzip, identity"] {
        assert_eq!(of(name).unwrap_err(), "identity,gzip", "{name}");
    }
    assert!(Encoding::Gzip.check(1).is_ok() && Encoding::Gzip.check(2).is_err());
}
