//! Replies of an upstream, and what can be wrong with them.

use std::io::{Read, Write};

use flate2::{Compress, Compression, FlushCompress, GzBuilder, read::GzDecoder, write::GzEncoder};

/// A page with a form for a password, as web servers show it to whoever has no session.
pub const LOGIN_PAGE: &str = "<html><body><form action=\"/login\" method=\"post\"><input name=\"user\"><input type=\"password\"></form></body></html>";
/// A page that a web server shows in place of what is behind it.
pub const ERROR_PAGE: &str = "<html><head><title>Error</title></head><body><h1>It does not work</h1></body></html>";

/// A reply of HTTP/1.1.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers but those of the length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A reply without headers or body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A recorded reply, with either kind of line ends in its head; what says how long it is, is left out.
    ///
    /// # Panics
    /// If it has no head.
    #[must_use]
    pub fn recorded(bytes: &[u8]) -> Self {
        let find =
            |end: &[u8]| bytes.windows(end.len()).position(|window| window == end).map(|at| (at, at + end.len()));
        let (end, begin) = [find(b"\r\n\r\n"), find(b"\n\n")].into_iter().flatten().min().unwrap();
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let framing = ["content-length", "transfer-encoding", "connection"];
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.filter(|(name, _)| !framing.contains(&name.to_ascii_lowercase().as_str()));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Self { status, headers, body: bytes[begin..].to_vec() }
    }

    /// A page for people.
    #[must_use]
    pub fn page(status: u16, page: &str) -> Self {
        Self::new(status).with("content-type", "text/html; charset=utf-8").with_body(page)
    }

    /// Adds or replaces a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Replaces the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The body packed by gzip.
    #[must_use]
    pub fn packed(self) -> Self {
        let body = gzip(&self.body);
        self.with("content-encoding", "gzip").with_body(body)
    }

    /// The reply with its true length.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.claiming(self.body.len())
    }

    /// The reply with a length that may be a lie.
    #[must_use]
    pub fn claiming(&self, length: usize) -> Vec<u8> {
        self.framed(&format!("Content-Length: {length}\r\n"))
    }

    /// The reply whose end is that of its connection.
    #[must_use]
    pub fn endless(&self) -> Vec<u8> {
        self.framed("Connection: close\r\n")
    }

    /// The reply in chunks of so many bytes.
    #[must_use]
    pub fn chunked(&self, size: usize) -> Vec<u8> {
        let mut body = Vec::new();
        for chunk in self.body.chunks(size) {
            body.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        }
        body.extend(b"0\r\n\r\n");
        self.clone().with_body(body).framed("Transfer-Encoding: chunked\r\n")
    }

    /// The head of the reply with its true length, and the body.
    #[must_use]
    pub fn parts(&self) -> (Vec<u8>, Vec<u8>) {
        let mut head = self.bytes();
        let body = head.split_off(head.len() - self.body.len());
        (head, body)
    }

    /// The reply with these lines about its length.
    #[must_use]
    pub fn framed(&self, lines: &str) -> Vec<u8> {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {} Any\r\n{headers}{lines}\r\n", self.status);
        [head.as_bytes(), &self.body].concat()
    }
}

/// What gzip makes of some bytes.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Undoes it.
#[must_use]
pub fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The same with a wrong checksum.
#[must_use]
pub fn gzip_with_wrong_sum(bytes: &[u8]) -> Vec<u8> {
    let mut packed = gzip(bytes);
    let sum = packed.len() - 8;
    packed[sum] ^= 0xff;
    packed
}

/// About a thousandth of so many mebibytes of zeros; it has no end, which nobody should live to see.
#[must_use]
pub fn bomb(mebibytes: usize) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut one = Vec::with_capacity(16 << 10);
    // Blocks that know nothing of what came before can be said again and again.
    Compress::new(Compression::fast(), false).compress_vec(&zeros, &mut one, FlushCompress::Full).unwrap();
    let mut packed = GzBuilder::new().write(Vec::new(), Compression::fast()).finish().unwrap()[..10].to_vec();
    packed.extend(one.repeat(mebibytes));
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_reply_keeps_what_it_says() {
        let reply = Reply::recorded(b"HTTP/1.1 201 Created\nLocation: /a\nContent-Length: 9\n\nab\r\n\r\n");
        assert_eq!(reply.bytes(), b"HTTP/1.1 201 Any\r\nLocation: /a\r\nContent-Length: 6\r\n\r\nab\r\n\r\n");
        assert!(reply.chunked(4).ends_with(b"\r\n\r\n4\r\nab\r\n\r\n2\r\n\r\n\r\n0\r\n\r\n"));
    }

    #[test]
    fn a_bomb_is_small_and_unpacks_to_what_it_says() {
        let packed = bomb(3);
        assert!(packed.len() < 64 << 10, "{}", packed.len());
        let mut unpacked = vec![1; 3 << 20];
        GzDecoder::new(packed.as_slice()).read_exact(&mut unpacked).unwrap();
        assert!(unpacked.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_wrong_sum_is_noticed() {
        let mut text = String::new();
        assert!(GzDecoder::new(gzip(b"text").as_slice()).read_to_string(&mut text).is_ok());
        assert!(GzDecoder::new(gzip_with_wrong_sum(b"text").as_slice()).read_to_string(&mut text).is_err());
    }
}
