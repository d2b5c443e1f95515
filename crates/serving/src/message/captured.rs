//! The beginning of a request and of its reply, kept while somebody wants to see messages.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use protocol::Body;

use crate::message::{self, HEAD, PACKED};

/// Most bytes of one direction that are kept; of what is larger nothing is shown.
const MOST: usize = 16 << 10;

/// What a call carried.
#[derive(Debug, Default)]
pub struct Captured {
    pub(crate) request: Part,
    pub(crate) reply: Part,
}

/// What went in one direction.
#[derive(Debug, Default)]
pub(crate) struct Part(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    bytes: BytesMut,
    is_torn: bool,
}

/// A request's body that is kept while it passes.
pub(crate) struct Capturing {
    inner: Body,
    captured: Arc<Captured>,
}

impl Part {
    /// Keeps a part of the body, unless it becomes too large.
    pub(crate) fn add(&self, data: &[u8]) {
        let mut state = self.lock();
        state.is_torn |= state.bytes.len() + data.len() > MOST;
        if state.is_torn {
            state.bytes.clear();
        } else {
            state.bytes.extend_from_slice(data);
        }
    }

    /// The first message, if it is there whole and unpacked not too large.
    pub(crate) fn message(&self) -> Option<Bytes> {
        let state = self.lock();
        let mut head = state.bytes.get(..HEAD)?;
        let (flag, length) = (head.get_u8(), head.get_u32() as usize);
        let message = state.bytes.get(HEAD..HEAD.checked_add(length)?)?;
        match flag {
            0 => Some(Bytes::copy_from_slice(message)),
            PACKED => message::unpack(message, MOST).ok(),
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Capturing {
    pub(crate) fn new(inner: Body, captured: Arc<Captured>) -> Self {
        Self { inner, captured }
    }
}

impl HttpBody for Capturing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.captured.request.add(data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::envelope;

    fn message(parts: &[&[u8]]) -> Option<Bytes> {
        let part = Part::default();
        parts.iter().for_each(|bytes| part.add(bytes));
        part.message()
    }

    #[test]
    fn the_first_message_is_found_however_it_was_cut() {
        assert_eq!(message(&[&[0, 0, 0], &[0, 2, 7], &[8, 0, 0, 0, 0, 1, 9]]).unwrap(), &[7, 8][..]);
        assert_eq!(message(&[&[0, 0, 0, 0, 0]]).unwrap(), &[][..]);
        let packed = |length| envelope(PACKED, &message::pack(&vec![7; length]).unwrap());
        assert_eq!(message(&[&packed(MOST)]).unwrap(), vec![7; MOST]);
        assert_eq!(message(&[&packed(MOST + 1)]), None);
    }

    #[test]
    fn what_is_not_whole_or_not_plain_is_not_shown() {
        for bytes in [&[][..], &[0, 0, 0, 0], &[0, 0, 0, 0, 3, 1, 2], &[1, 0, 0, 0, 1, 1], &[0, 255, 255, 255, 255]] {
            assert_eq!(message(&[bytes]), None, "{bytes:?}");
        }
        let large = [&[0, 0, 0, 64, 0][..], &[7; MOST]].concat();
        assert_eq!(message(&[&large]), None);
        assert_eq!(message(&[&large, &[0, 0, 0, 0, 0]]), None);
    }
}
