//! A body that goes to the caller in pieces, as it comes from the upstream.

use std::pin::Pin;

use bumpalo::Bump;
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderValue, header};
use prost::{Message, Name};
use protocol::headers::DOWNLOAD;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tonic::{Response, Status};

use crate::{
    call::{Call, Receive, Received, Sending, read_reply},
    fault::Fault,
    http::{HttpRequest, IDENTITY, MAX_DOWNLOAD_BYTES, Opened, ReplyBody},
    sign::Sign,
};

/// What a method answers that downloads: messages whose field 1 is an `ispbridge.type.v1.Chunk`.
pub type Download<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

/// Bytes of one piece: small enough for every client's limit of messages.
const PIECE: usize = 64 << 10;

/// The message of every such method.
#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(message, optional, tag = "1")]
    chunk: Option<Chunk>,
}

/// `ispbridge.type.v1.Chunk`.
#[derive(Clone, PartialEq, Message)]
struct Chunk {
    #[prost(string, optional, tag = "1")]
    content_type: Option<String>,
    #[prost(string, optional, tag = "2")]
    file_name: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    size: Option<u64>,
    #[prost(bytes = "bytes", tag = "4")]
    data: Bytes,
}

impl Call {
    /// As [`crate::Upstream::download`], with the fault for the caller to look at.
    ///
    /// # Errors
    /// The [`Fault`] of the last attempt, if no body came.
    pub async fn download<Q, R>(&self, operation: &'static str, request: &Q) -> Result<Response<Download<R>>, Fault>
    where
        Q: Message + Name,
        R: Message + Default + 'static,
    {
        let opened = self.opened(operation, request).await;
        let (opened, place) = opened.map_err(|fault| fault.with_operation(self.shared.operation(false, None)))?;
        let download = Downloading::new(self.clone(), opened, place);
        let pieces = stream::try_unfold(download, |mut download| async move {
            let piece = download.next().await.map_err(|fault| download.failed(fault))?;
            Ok(piece.map(|piece| (piece, download)))
        });
        let mut response = Response::new(Box::pin(pieces) as Download<R>);
        response.metadata_mut().as_mut().insert(DOWNLOAD, HeaderValue::from_static("1"));
        Ok(response)
    }

    async fn opened<Q: Message + Name>(
        &self,
        operation: &'static str,
        request: &Q,
    ) -> Result<(Opened, OwnedSemaphorePermit), Fault> {
        self.account.provider.admit(operation)?;
        let arena = Bump::new();
        let arguments = self.account.tables(operation)?.encode(request, &arena).map_err(Fault::invalid)?;
        self.exchange(operation, false, arguments, &Streamed, &|| false).await
    }
}

/// Takes a reply that is a body as it is, and reads every other as a reply.
struct Streamed;

impl Receive for Streamed {
    type Value = Opened;

    async fn receive(&self, call: &Call, sending: &Sending<'_>, request: &HttpRequest) -> Received<Opened> {
        let (client, begun) = (&call.account.client, Instant::now());
        // What has a coding all the same is stored in it.
        let request = request.clone().with_header(header::ACCEPT_ENCODING, IDENTITY);
        let opened = client.open(&request, sending.write, call.context.deadline).await;
        let waited = begun.elapsed();
        let (status, result) = match opened {
            Err(fault) => (fault.http_status(), Err(fault)),
            Ok(opened) => {
                let status = Some(opened.head.status.as_u16());
                let is_body = call.account.provider.is_body(sending.operation, &opened.head);
                (
                    status,
                    if is_body {
                        within(opened, client.max_download_bytes())
                    } else {
                        refused(call, sending, opened).await
                    },
                )
            }
        };
        Received { status, waited, result }
    }
}

fn within(opened: Opened, most: u64) -> Result<Opened, Fault> {
    if opened.body.size().is_some_and(|size| size > most) { Err(larger_than(most)) } else { Ok(opened) }
}

fn larger_than(most: u64) -> Fault {
    Fault::too_large(MAX_DOWNLOAD_BYTES, format_args!("is larger than {most} bytes"))
}

/// A reply in place of a body: what it says is why there is none.
async fn refused(call: &Call, sending: &Sending<'_>, opened: Opened) -> Result<Opened, Fault> {
    let reply = opened.whole(call.account.client.max_reply_bytes()).await?;
    read_reply(&call.account, sending, &reply, &|_| Err(Fault::unreadable("it is an answer and no file")))
}

/// A body on its way. It keeps its place among the account's calls, and the process from ending.
struct Downloading {
    call: Call,
    _place: OwnedSemaphorePermit,
    body: ReplyBody,
    /// What the first piece says besides its data.
    head: Option<Chunk>,
    /// What came of the body and was not passed on yet.
    rest: Bytes,
    received: u64,
    begun: Instant,
}

impl Downloading {
    fn new(call: Call, opened: Opened, place: OwnedSemaphorePermit) -> Self {
        let (content_type, file_name) = (opened.content_type(), opened.file_name());
        let head = Chunk { content_type, file_name, size: opened.body.size(), data: Bytes::new() };
        Self {
            call,
            _place: place,
            body: opened.body,
            head: Some(head),
            rest: Bytes::new(),
            received: 0,
            begun: Instant::now(),
        }
    }

    /// The next message: the first comes even if the body is empty.
    async fn next<R: Message + Default>(&mut self) -> Result<Option<R>, Fault> {
        if self.rest.is_empty() {
            self.rest = self.more().await?;
        }
        let data = self.rest.split_to(self.rest.len().min(PIECE));
        let head = self.head.take();
        if data.is_empty() && head.is_none() {
            return Ok(None);
        }
        let piece = Piece { chunk: Some(Chunk { data, ..head.unwrap_or_default() }) };
        R::decode(piece.encode_to_vec().as_slice()).map(Some).map_err(Fault::unreadable)
    }

    /// What comes next; nothing at the end.
    async fn more(&mut self) -> Result<Bytes, Fault> {
        loop {
            let Some(data) = self.body.next().await? else { return Ok(Bytes::new()) };
            self.received += data.len() as u64;
            let most = self.call.account.client.max_download_bytes();
            if self.received > most {
                return Err(larger_than(most));
            }
            if !data.is_empty() {
                return Ok(data);
            }
        }
    }

    /// The status of a body that broke off.
    fn failed(&mut self, fault: Fault) -> Status {
        let (account, sign) = (&self.call.account, Sign::of::<()>(&Err(fault.clone()), self.begun.elapsed()));
        account.breaker.record(sign);
        account.health.record(sign, Some(&fault));
        let message = format!("{}; {} bytes of the body came before", fault.message(), self.received);
        let (kind, reason) = (fault.kind(), fault.reason());
        fault.reclassified(kind, reason, message).with_operation(self.call.shared.operation(false, None)).into()
    }
}
