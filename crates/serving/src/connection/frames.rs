//! Where the frames of one direction begin and end, whatever pieces their bytes come in.

/// Length of the header of a frame (RFC 9113, 4.1).
pub(super) const HEADER: usize = 9;

/// Follows the frames of one direction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frames {
    /// Bytes until the next header.
    skip: usize,
    header: [u8; HEADER],
    seen: usize,
}

impl Frames {
    /// Begins behind as many bytes that are no frames.
    pub(super) fn after(skip: usize) -> Self {
        Self { skip, header: [0; HEADER], seen: 0 }
    }

    /// Tells the kind and flags of every frame whose header is complete with these bytes.
    pub(super) fn follow(&mut self, mut bytes: &[u8], mut tell: impl FnMut(u8, u8)) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let count = self.skip.min(bytes.len());
                self.skip -= count;
                bytes = &bytes[count..];
                continue;
            }
            let count = (HEADER - self.seen).min(bytes.len());
            self.header[self.seen..self.seen + count].copy_from_slice(&bytes[..count]);
            self.seen += count;
            bytes = &bytes[count..];
            if self.seen == HEADER {
                tell(self.header[3], self.header[4]);
                self.seen = 0;
                let [high, middle, low, ..] = self.header;
                self.skip = u32::from_be_bytes([0, high, middle, low]) as usize;
            }
        }
    }

    /// Whether a frame of one's own may stand here.
    pub(super) fn is_between(&self) -> bool {
        self.skip == 0 && self.seen == 0
    }
}
