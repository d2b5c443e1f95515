//! The Connect protocol (<https://connectrpc.com/docs/protocol>): plain HTTP requests that `curl` can make.

mod download;
mod query;
mod request;
mod stream;
mod unary;

pub(crate) use request::wrong;
pub(crate) use stream::stream;
pub(crate) use unary::{ReplyForm, finished, get, unary};
