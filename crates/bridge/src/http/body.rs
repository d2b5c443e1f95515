//! The body of a reply, as it comes.

use std::time::Duration;

use bytes::Bytes;
use http::header;
use tokio::time::{Instant, timeout_at};

use super::{
    HttpReply, coding,
    disposition::file_name,
    failure::{late, transport_fault},
    reply::larger_than,
};
use crate::fault::{Fault, Outcome};

/// A body that has not been read yet. Nothing is taken from the connection but what somebody asks for, and a body that is dropped
/// ends its connection.
pub(crate) struct ReplyBody {
    response: reqwest::Response,
    idle: Duration,
    deadline: Instant,
}

/// A reply of which only the head has been read.
pub(crate) struct Opened {
    /// The head, with an empty body.
    pub(crate) head: HttpReply,
    pub(crate) body: ReplyBody,
}

impl Opened {
    pub(super) fn new(mut response: reqwest::Response, idle: Duration, deadline: Instant) -> Self {
        let headers = std::mem::take(response.headers_mut());
        let head = HttpReply { status: response.status(), headers, body: Vec::new() };
        Self { head, body: ReplyBody { response, idle, deadline } }
    }

    /// Reads the whole reply, and takes it out of its coding.
    pub(crate) async fn whole(mut self, most: usize) -> Result<HttpReply, Fault> {
        let body = self.body.whole(most).await;
        let body = body.and_then(|body| coding::unpacked(&mut self.head.headers, body, most));
        self.head.body = body.map_err(|fault| fault.with_http_status(self.head.status.as_u16()))?;
        Ok(self.head)
    }

    /// What the head says the body is.
    pub(crate) fn content_type(&self) -> Option<String> {
        Some(self.head.header(header::CONTENT_TYPE).to_owned()).filter(|text| !text.is_empty())
    }

    /// The name that the head gives the body, without folders.
    pub(crate) fn file_name(&self) -> Option<String> {
        file_name(self.head.header(header::CONTENT_DISPOSITION))
    }
}

impl ReplyBody {
    /// How long the body will be, if its head says so.
    pub(crate) fn size(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The next piece; nothing after the last. A body that ends before its length, or in the middle of a chunk, has no last piece
    /// but a fault. Only of a body that ends with its connection (HTTP/1.0) nobody can tell.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let limit = self.deadline.min(Instant::now() + self.idle);
        let chunk = timeout_at(limit, self.response.chunk()).await;
        let chunk = chunk.map_err(|_| late(limit == self.deadline, Outcome::Unknown))?;
        chunk.map_err(|error| transport_fault(&error))
    }

    async fn whole(&mut self, most: usize) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::with_capacity(self.size().unwrap_or(0).min(64 << 10) as usize);
        while let Some(chunk) = self.next().await? {
            if body.len() + chunk.len() > most {
                return Err(larger_than(most));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}
