//! Calls of a contract that no type of this program describes: what comes in and goes out are the bytes of messages.

use std::borrow::Cow;

use bumpalo::Bump;
use bytes::Bytes;
use prost_reflect::{DynamicMessage, MethodDescriptor, prost::Message};
use tonic::Response;

use super::{Call, checked};
use crate::{
    detached::{Asker, DetachedWrite},
    fault::{Fault, Kind, Outcome},
    problem::{Problem, Problems},
    table::Tables,
};

impl Call {
    /// As [`Call::read`].
    ///
    /// # Errors
    /// The [`Fault`] of the last attempt.
    pub async fn read_bytes(
        &self,
        operation: &str,
        method: &MethodDescriptor,
        request: &[u8],
    ) -> Result<Response<Bytes>, Fault> {
        let result = self.untyped(operation, false, method, request, &|| false).await;
        result.map_err(|fault| fault.with_operation(self.shared.operation(false, None)))
    }

    /// As [`Call::write`].
    ///
    /// # Errors
    /// The [`Fault`] of the attempt.
    pub fn write_bytes(
        &self,
        operation: impl Into<Cow<'static, str>>,
        method: &MethodDescriptor,
        request: Bytes,
    ) -> impl Future<Output = Result<Response<Bytes>, Fault>> + Send + 'static {
        let (call, asker, operation, method) = (self.clone(), Asker::default(), operation.into(), method.clone());
        let (gone, input) = (asker.clone(), method.input());
        let told = self.told_of_write(operation.clone(), move |tables| tables.probe_of(input.full_name()));
        let work = async move { call.untyped(&operation, true, &method, &request, &|| gone.is_gone()).await };
        let write = DetachedWrite::new(asker, work);
        async move { write.await.map_err(told) }
    }

    async fn untyped(
        &self,
        operation: &str,
        write: bool,
        method: &MethodDescriptor,
        request: &[u8],
        gone: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Response<Bytes>, Fault> {
        let (tables, room) = self.admitted(operation)?;
        let names = (method.input(), method.output());
        let (request_name, reply_name) = names_in(tables, method, (names.0.full_name(), names.1.full_name()))?;
        // What comes from outside is made what the tables walk: valid, each field once, in the order of the numbers.
        let message =
            DynamicMessage::decode(method.input(), request).map_err(|error| not_the_message(&error.to_string()))?;
        let (bytes, arena) = (message.encode_to_vec(), Bump::new());
        let arguments = tables.encode_bytes(request_name, &bytes, &arena).map_err(Fault::invalid)?;
        let decode = |node: crate::Node<'_>| {
            let decoded = tables.decode_bytes_within(reply_name, node, room);
            checked(decoded.map(|bytes| is_whole(method, &bytes).then(|| Bytes::from(bytes))))
        };
        self.answered(operation, write, arguments, &decode, gone).await
    }
}

/// The names of a method's messages in the tables, which were built from one contract and may be asked about another.
fn names_in<'n>(
    tables: &Tables,
    method: &MethodDescriptor,
    names: (&'n str, &'n str),
) -> Result<(&'n str, &'n str), Fault> {
    let known = tables.request_named(names.0).zip(tables.reply_named(names.1));
    known.ok_or_else(|| {
        let message = format!("{} is no method of the contract that the account has", method.full_name());
        Fault::new(Kind::Unimplemented, Outcome::NotSent, "METHOD", message)
    })
}

/// Whether every reader of protobuf takes the message: one that contains itself may be nested too deeply.
fn is_whole(method: &MethodDescriptor, reply: &[u8]) -> bool {
    DynamicMessage::decode(method.output(), reply).is_ok()
}

fn not_the_message(why: &str) -> Fault {
    Fault::invalid(Problems(vec![Problem::new("request", format!("is not a message of its type: {why}"))]))
}
