//! A file in pieces, as a service sends it.

use std::convert::Infallible;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::body::Body;

use super::{denied, status_ok};
use crate::caller::frame;

/// How a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileEnd {
    /// Whole, of so many pieces of 64 KiB.
    Whole(usize),
    /// With a status of its own after so many pieces of those that it said.
    Late(usize),
    /// Never: it goes on until nobody takes it any more, and counts its pieces.
    Endless,
}

/// The body of a reply; `taken` hears of each piece.
pub(super) fn body(end: FileEnd, mut taken: impl FnMut() + Send + 'static) -> Body {
    let (pieces, size, trailers) = match end {
        FileEnd::Whole(pieces) => (pieces, Some(pieces), status_ok()),
        FileEnd::Late(pieces) => {
            let refused = denied("UPSTREAM_CONNECTION").into_http::<Body>();
            (pieces, Some(pieces + 1), refused.into_parts().0.headers)
        }
        FileEnd::Endless => (usize::MAX, None, status_ok()),
    };
    let frames = (0..pieces).map(move |at| {
        taken();
        Ok::<_, Infallible>(Frame::data(piece(at, size)))
    });
    let end = std::iter::once_with(move || Ok(Frame::trailers(trailers)));
    Body::new(StreamBody::new(tokio_stream::iter(frames.chain(end))))
}

/// The bytes of one piece of a file.
pub(crate) fn piece_data(at: usize) -> Vec<u8> {
    vec![at as u8; 64 << 10]
}

/// `ispbridge.type.v1.Chunk`.
#[derive(Clone, PartialEq, prost::Message)]
struct Chunk {
    #[prost(string, optional, tag = "1")]
    content_type: Option<String>,
    #[prost(string, optional, tag = "2")]
    file_name: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    size: Option<u64>,
    #[prost(bytes = "vec", tag = "4")]
    data: Vec<u8>,
}

/// A frame with one `DownloadPictureResponse`; the first says what the file is.
fn piece(at: usize, pieces: Option<usize>) -> Bytes {
    let is_first = at == 0;
    let chunk = Chunk {
        content_type: is_first.then(|| "image/png".to_owned()),
        file_name: is_first.then(|| "Łucja 1.png".to_owned()),
        size: pieces.filter(|_| is_first).map(|pieces| (pieces * (64 << 10)) as u64),
        data: piece_data(at),
    };
    let mut response = Vec::new();
    prost::encoding::message::encode(1, &chunk, &mut response);
    frame(&response)
}
