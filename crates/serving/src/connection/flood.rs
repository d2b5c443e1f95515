//! Frames that cost us work and their sender nothing: PING, SETTINGS and PRIORITY, of which h2 answers any number.
//!
//! Rapid reset, CONTINUATION and empty DATA are counted by h2 itself.

use tokio::time::Instant;

use super::{PREFACE, frames::Frames};

const PRIORITY: u8 = 0x2;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
/// Flag of the frames that answer ours.
const ACK: u8 = 0x1;

/// The client's half of the preface.
const PREFACE_BYTES: &[u8; PREFACE] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Follows the frames of one peer.
#[derive(Debug)]
pub(crate) struct Flood {
    /// How much of the preface has come; nothing if something else came in its place.
    preface: Option<usize>,
    frames: Frames,
    /// What the peer may still send, a bucket that fills by a tenth every second.
    left: f64,
    max: f64,
    filled: Instant,
}

impl Flood {
    pub(crate) fn new(max: u32) -> Self {
        let max = f64::from(max);
        Self { preface: Some(0), frames: Frames::after(0), left: max, max, filled: Instant::now() }
    }

    /// Follows what came in; true if there is more than a peer in earnest would send.
    pub(crate) fn is_in(&mut self, bytes: &[u8]) -> bool {
        match self.behind_preface(bytes) {
            Some(frames) => self.is_in_frames(frames),
            None => false,
        }
    }

    /// Whether the preface has come whole.
    pub(crate) fn is_http2(&self) -> bool {
        self.preface == Some(PREFACE)
    }

    /// Whether the peer speaks something that is not HTTP/2, and has no frames.
    pub(crate) fn is_other(&self) -> bool {
        self.preface.is_none()
    }

    fn behind_preface<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let seen = self.preface?;
        let (preface, frames) = bytes.split_at((PREFACE - seen).min(bytes.len()));
        let end = seen + preface.len();
        self.preface = (preface == &PREFACE_BYTES[seen..end]).then_some(end);
        self.preface.map(|_| frames)
    }

    fn is_in_frames(&mut self, bytes: &[u8]) -> bool {
        let mut frames = 0_u32;
        self.frames.follow(bytes, |kind, flags| frames += u32::from(is_control(kind, flags)));
        frames > 0 && !self.take(f64::from(frames))
    }

    fn take(&mut self, frames: f64) -> bool {
        let now = Instant::now();
        let given_back = (now - self.filled).as_secs_f64() * self.max / 10.0;
        self.filled = now;
        self.left = (self.left + given_back).min(self.max) - frames;
        self.left >= 0.0
    }
}

fn is_control(kind: u8, flags: u8) -> bool {
    match kind {
        PING | SETTINGS => flags & ACK == 0,
        kind => kind == PRIORITY,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{super::frames::HEADER, *};

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 0];
        // What looks like a PING inside of a payload is none.
        frame.resize(HEADER + usize::from(length), PING);
        frame
    }

    fn spoken(max: u32) -> Flood {
        let mut flood = Flood::new(max);
        assert!(!flood.is_in(PREFACE_BYTES));
        flood
    }

    #[tokio::test(start_paused = true)]
    async fn only_questions_count() {
        let mut flood = spoken(3);
        for harmless in [frame(0x0, 0, 200), frame(0x1, 4, 50), frame(PING, ACK, 8), frame(SETTINGS, ACK, 0)] {
            assert!(!flood.is_in(&harmless.repeat(100)));
        }
        assert!(!flood.is_in(&[frame(PING, 0, 8), frame(SETTINGS, 0, 6), frame(PRIORITY, 0, 5)].concat()));
        assert!(flood.is_in(&frame(PING, 0, 8)));
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_matter_how_the_bytes_are_cut() {
        let bytes = [PREFACE_BYTES.to_vec(), frame(SETTINGS, 0, 6), frame(0x0, 0, 200), frame(PING, 0, 8)].concat();
        for size in [1, 2, 7, 9, 10, 100] {
            let mut flood = Flood::new(1);
            let verdicts: Vec<_> = bytes.chunks(size).map(|chunk| flood.is_in(chunk)).collect();
            assert!(verdicts.contains(&true), "{size}");
            let mut patient = Flood::new(2);
            assert!(!bytes.chunks(size).any(|chunk| patient.is_in(chunk)), "{size}");
        }
    }

    #[test]
    fn what_does_not_begin_with_the_preface_has_no_frames() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP/1.1\r\n", &[0; 400]] {
            for size in [1, 5, 400] {
                let mut flood = Flood::new(0);
                assert!(!bytes.chunks(size).any(|chunk| flood.is_in(chunk)));
                assert!(flood.is_other());
            }
        }
        assert!(!spoken(1).is_other());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let chunks = [vec![PREFACE_BYTES.to_vec()], chunks].concat();
            let whole = chunks.concat();
            let (mut parts, mut once) = (Flood::new(3), Flood::new(3));
            // All of them are looked at, also after a verdict.
            let verdicts: Vec<_> = chunks.iter().map(|chunk| parts.is_in(chunk)).collect();
            prop_assert_eq!(verdicts.contains(&true), once.is_in(&whole));
            prop_assert_eq!(parts.frames, once.frames);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_is_given_back_slowly() {
        let mut flood = spoken(10);
        assert!(!flood.is_in(&frame(PING, 0, 8).repeat(10)));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!flood.is_in(&frame(PING, 0, 8).repeat(2)));
        assert!(flood.is_in(&frame(PING, 0, 8)));
    }
}
