//! Rewrites a gRPC reply for another protocol: data as it arrives, trailers as the end of the body.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use protocol::Body;
use protocol::headers::{GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS};
use tonic::Status;

use super::status::cut_off;

/// How one protocol writes a reply.
pub(crate) trait Rewrite: Send + Unpin + 'static {
    /// Writes a part of the reply; nothing, if it is not yet enough.
    ///
    /// # Errors
    /// What the reply ends with instead.
    fn data(&mut self, data: Bytes) -> Result<Bytes, Status>;

    /// Writes the end.
    fn end(&mut self, trailers: HeaderMap) -> Bytes;
}

/// A body that is rewritten.
struct Rewritten<R> {
    /// `None` once the end was written.
    inner: Option<Body>,
    /// The end of a reply that has nothing else.
    only: Option<HeaderMap>,
    rewrite: R,
}

/// Rewrites a reply. Its headers are left to the caller, but for a status, which goes to the end of the body.
pub(crate) fn rewritten(reply: Response<Body>, rewrite: impl Rewrite) -> (HeaderMap, Body) {
    let (mut head, body) = reply.into_parts();
    let mut only = None;
    if head.headers.contains_key(GRPC_STATUS) {
        let mut trailers = HeaderMap::new();
        for name in [GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS] {
            if let Some(value) = head.headers.remove(&name) {
                trailers.insert(name, value);
            }
        }
        only = Some(trailers);
    }
    (head.headers, Body::new(Rewritten { inner: Some(body), only, rewrite }))
}

impl<R: Rewrite> Rewritten<R> {
    fn end(&mut self, trailers: HeaderMap) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.inner = None;
        Poll::Ready(Some(Ok(Frame::data(self.rewrite.end(trailers)))))
    }

    fn end_with(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut trailers = HeaderMap::new();
        // A status of ours has no header that could be illegal.
        let _ = status.add_header(&mut trailers);
        self.end(trailers)
    }
}

impl<R: Rewrite> http_body::Body for Rewritten<R> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(trailers) = self.only.take() {
            return self.end(trailers);
        }
        while let Some(inner) = &mut self.inner {
            let Some(frame) = ready!(Pin::new(inner).poll_frame(context)) else {
                return self.end_with(&cut_off());
            };
            let Ok(frame) = frame else {
                return self.end_with(&cut_off());
            };
            match frame.into_data() {
                Ok(data) => match self.rewrite.data(data) {
                    Ok(written) if written.is_empty() => {}
                    Ok(written) => return Poll::Ready(Some(Ok(Frame::data(written)))),
                    Err(status) => return self.end_with(&status),
                },
                Err(frame) => return self.end(frame.into_trailers().unwrap_or_default()),
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_none()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    struct Loud;

    impl Rewrite for Loud {
        fn data(&mut self, data: Bytes) -> Result<Bytes, Status> {
            match &*data {
                b"bad" => Err(Status::data_loss("bad")),
                b"wait" => Ok(Bytes::new()),
                _ => Ok(data.to_ascii_uppercase().into()),
            }
        }

        fn end(&mut self, trailers: HeaderMap) -> Bytes {
            format!("!{}", trailers["grpc-status"].to_str().unwrap()).into()
        }
    }

    async fn through(parts: &'static [&'static str], trailers: Option<&'static str>) -> Bytes {
        let parts = tokio_stream::iter(parts.iter().map(|part| Ok::<_, Status>(Bytes::from(*part))));
        let body = Body::from_stream(parts).with_trailers(async move {
            let status = http::HeaderValue::from_static(trailers?);
            Some(Ok(HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), status)])))
        });
        let (_, body) = rewritten(Response::new(Body::new(body)), Loud);
        body.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_reply_is_rewritten_to_its_end_whatever_that_is() {
        assert_eq!(through(&["one", "wait", "two"], Some("0")).await, "ONETWO!0");
        assert_eq!(through(&["one", "bad", "two"], Some("0")).await, "ONE!15");
        assert_eq!(through(&["one"], None).await, "ONE!13");
    }

    #[tokio::test]
    async fn a_status_in_the_headers_becomes_the_end() {
        let reply = Response::builder().header("grpc-status", "5").header("x-a", "b").body(Body::empty()).unwrap();
        let (headers, body) = rewritten(reply, Loud);
        assert_eq!((headers.len(), &headers["x-a"]), (1, &http::HeaderValue::from_static("b")));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "!5");
    }
}
