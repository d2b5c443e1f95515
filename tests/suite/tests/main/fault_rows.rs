//! The rows of the table of faults.

use std::{sync::LazyLock, time::Duration};

use ispbridge_kit::{
    Act, Reply,
    reply::{ERROR_PAGE, LOGIN_PAGE, bomb, gzip, gzip_with_wrong_sum},
};
use tonic::Code;

use crate::faults::{Row, Told, Verdict};

const fn refusal(code: Code, reason: &'static str, outcome: &'static str, most: usize) -> Verdict {
    Verdict { told: Told::Refusal(code, reason, outcome), most }
}

/// A reply, at the first attempt.
const REPLY: Verdict = Verdict { told: Told::Reply, most: 1 };
/// A reply, after patience.
const SECOND: Verdict = Verdict { told: Told::Reply, most: 2 };
/// A write that may have happened.
const UNKNOWN: Verdict = refusal(Code::Aborted, "OUTCOME_UNKNOWN", "UNKNOWN", 1);
/// A read whose connection broke again and again.
const BROKEN: Verdict = refusal(Code::Unavailable, "UPSTREAM_CONNECTION", "UNKNOWN", 3);
/// A read that nobody could make out.
const UNREADABLE: Verdict = refusal(Code::Internal, "UPSTREAM_REPLY_UNREADABLE", "UNKNOWN", 1);
/// A read that ran into its caller's deadline.
const LATE: Verdict = refusal(Code::DeadlineExceeded, "UPSTREAM_TIMEOUT", "UNKNOWN", 1);
/// A read whose upstream was given up, again and again.
const SILENT: Verdict = refusal(Code::Unavailable, "UPSTREAM_TIMEOUT", "UNKNOWN", 3);
/// A read whose upstream failed, again and again.
const FAILED: Verdict = refusal(Code::Unavailable, "UPSTREAM_FAULT", "UNKNOWN", 3);
/// The same, not repeated.
const FAILED_ONCE: Verdict = refusal(Code::Unavailable, "UPSTREAM_FAULT", "UNKNOWN", 1);
/// A read whose reply is too much.
const TOO_LARGE: Verdict = refusal(Code::ResourceExhausted, "UPSTREAM_BODY_TOO_LARGE", "UNKNOWN", 1);
/// Credentials that the upstream does not take.
const AUTH: Verdict = refusal(Code::FailedPrecondition, "UPSTREAM_AUTH", "REJECTED", 1);
/// An upstream that wants patience.
const RATE: Verdict = refusal(Code::ResourceExhausted, "UPSTREAM_RATE_LIMIT", "REJECTED", 1);
/// An upstream to which there is no connection.
const UNREACHED: Verdict = refusal(Code::Unavailable, "UPSTREAM_UNREACHABLE", "NOT_SENT", 0);

/// A gibibyte in a mebibyte.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| bomb(1024));

/// A pause in which a short reply takes longer than anybody waits.
const PAUSE: Duration = Duration::from_millis(300);

const PLAIN: Row = Row {
    id: "",
    what: "",
    acts: |good| vec![Act::Answer(good.bytes())],
    scheme: "http",
    transport: "",
    patience: Duration::from_secs(25),
    read: REPLY,
    write: REPLY,
};

const fn row(id: &'static str, what: &'static str, acts: fn(&Reply) -> Vec<Act>, read: Verdict, write: Verdict) -> Row {
    Row { id, what, acts, read, write, ..PLAIN }
}

/// A row whose caller waits only so long that an upstream can be late.
const fn late(what: &'static str, acts: fn(&Reply) -> Vec<Act>) -> Row {
    Row { patience: Duration::from_secs(3), ..row("F04", what, acts, LATE, UNKNOWN) }
}

const fn brief(what: &'static str, transport: &'static str, acts: fn(&Reply) -> Vec<Act>) -> Row {
    Row { transport, ..row("F04", what, acts, SILENT, UNKNOWN) }
}

/// The first bytes of a reply, up to a number that comes from its length and that of its head.
fn cut(good: &Reply, at: fn(usize, usize) -> usize) -> Vec<u8> {
    let (head, body) = good.parts();
    let end = at(head.len(), head.len() + body.len());
    [head, body].concat()[..end].to_vec()
}

fn answer(reply: &Reply) -> Vec<Act> {
    vec![Act::Answer(reply.bytes())]
}

/// Something of the same kind that is no reply.
fn stranger(good: &Reply) -> Reply {
    let is_xml = good.body.starts_with(b"<");
    good.clone().with_body(if is_xml { "<?xml version=\"1.0\"?><other><a/></other>" } else { "[1, 2]" })
}

fn encoded(good: &Reply, encoding: &str, bytes: &[u8]) -> Vec<Act> {
    answer(&good.clone().with("content-encoding", encoding).with_body(bytes))
}

fn patience(status: u16, wait: &'static str) -> Vec<u8> {
    Reply::page(status, ERROR_PAGE).with("retry-after", wait).bytes()
}

pub(crate) const ROWS: &[Row] = &[
    PLAIN,
    row("F01", "reset before the first byte", |_| vec![Act::Reset(Vec::new())], BROKEN, UNKNOWN),
    row("F01", "reset in the head", |good| vec![Act::Reset(cut(good, |head, _| head / 2))], BROKEN, UNKNOWN),
    row("F01", "reset in the body", |good| vec![Act::Reset(cut(good, usize::midpoint))], BROKEN, UNKNOWN),
    row("F01", "reset before the last byte", |good| vec![Act::Reset(cut(good, |_, all| all - 1))], BROKEN, UNKNOWN),
    row("F02", "no answer", |_| vec![Act::Close(Vec::new())], BROKEN, UNKNOWN),
    row("F02", "no end", |good| vec![Act::Close(cut(good, |_, all| all - 1))], BROKEN, UNKNOWN),
    row("F02", "no last chunk", |good| vec![Act::Close(without_end(good.chunked(100)))], BROKEN, UNKNOWN),
    late("no word", |_| vec![Act::Mute]),
    late("a head byte by byte", |good| vec![Act::Drip(Vec::new(), PAUSE, good.bytes())]),
    late("a body byte by byte", |good| {
        let (head, body) = good.parts();
        vec![Act::Drip(head, PAUSE, body)]
    }),
    brief("no word in first_byte_seconds", "first_byte_seconds = 0.3", |_| vec![Act::Mute]),
    brief("no byte in idle_seconds", "idle_seconds = 0.3", |good| vec![Act::Answer(cut(good, |_, all| all - 1))]),
    Row {
        scheme: "https",
        transport: "connect_seconds = 0.3",
        ..row("F04", "no word of TLS", |_| vec![Act::Mute], UNREACHED, UNREACHED)
    },
    row(
        "F06",
        "an outage of a second",
        |good| vec![Act::Answer(patience(503, "1")), Act::Answer(good.bytes())],
        SECOND,
        UNKNOWN,
    ),
    row(
        "F06",
        "an outage of a thousand million seconds",
        |_| vec![Act::Answer(patience(503, "1000000000"))],
        FAILED_ONCE,
        UNKNOWN,
    ),
    row(
        "F06",
        "an outage of garbage",
        |good| vec![Act::Answer(patience(503, "soon")), Act::Answer(good.bytes())],
        SECOND,
        UNKNOWN,
    ),
    row(
        "F06",
        "an outage of more seconds than there are",
        |good| vec![Act::Answer(patience(503, "99999999999999999999")), Act::Answer(good.bytes())],
        SECOND,
        UNKNOWN,
    ),
    row(
        "F06",
        "too many requests",
        |good| vec![Act::Answer(patience(429, "1")), Act::Answer(good.bytes())],
        SECOND,
        RATE,
    ),
    row(
        "F06",
        "too many requests for a thousand million seconds",
        |_| vec![Act::Answer(patience(429, "1000000000"))],
        RATE,
        RATE,
    ),
    row("F08", "a login page", |_| answer(&Reply::page(200, LOGIN_PAGE)), AUTH, AUTH),
    row("F08", "another page", |_| answer(&Reply::page(200, ERROR_PAGE)), UNREADABLE, UNKNOWN),
    row("F08", "a failure's page", |_| answer(&Reply::page(500, ERROR_PAGE)), FAILED, UNKNOWN),
    row("F08", "an outage's page", |_| answer(&Reply::page(503, ERROR_PAGE)), FAILED, UNKNOWN),
    row("F08", "a gateway's page", |_| answer(&Reply::page(504, ERROR_PAGE)), FAILED, UNKNOWN),
    row("F08", "a good reply as a page", |good| answer(&good.clone().with("content-type", "text/html")), REPLY, REPLY),
    row(
        "F08",
        "a good reply as bytes",
        |good| answer(&good.clone().with("content-type", "application/octet-stream")),
        REPLY,
        REPLY,
    ),
    row("F08", "a good reply in chunks", |good| vec![Act::Answer(good.chunked(7))], REPLY, REPLY),
    row("F08", "a good reply with a status of failure", |good| answer(&good.clone().with_status(500)), FAILED, UNKNOWN),
    row("F08", "an empty body", |good| answer(&good.clone().with_status(200).with_body("")), UNREADABLE, UNKNOWN),
    row("F08", "another document", |good| answer(&stranger(good)), UNREADABLE, UNKNOWN),
    row(
        "F08",
        "bytes that are no text",
        |good| answer(&good.clone().with_body(b"\xff\xfe\x00\xd8".to_vec())),
        UNREADABLE,
        UNKNOWN,
    ),
    row("F08", "a longer length", |good| vec![Act::Close(good.claiming(good.body.len() + 1))], BROKEN, UNKNOWN),
    row(
        "F08",
        "a shorter length",
        |good| vec![Act::Close(good.claiming(good.body.trim_ascii_end().len() - 1))],
        UNREADABLE,
        UNKNOWN,
    ),
    row(
        "F08",
        "two lengths",
        |good| vec![Act::Answer(good.framed("Content-Length: 1\r\nContent-Length: 2\r\n"))],
        BROKEN,
        UNKNOWN,
    ),
    row(
        "F08",
        "a chunk of no length",
        |good| vec![Act::Answer(good.framed("Transfer-Encoding: chunked\r\n"))],
        BROKEN,
        UNKNOWN,
    ),
    row("F08", "no HTTP", |_| vec![Act::Close(b"220 mail.example.com ESMTP\r\n\r\n".to_vec())], BROKEN, UNKNOWN),
    row(
        "F08",
        "a head without end",
        |good| answer(&good.clone().with("x-long", &"x".repeat(2 << 20))),
        BROKEN,
        UNKNOWN,
    ),
    row("F09", "a packed reply", |good| answer(&good.clone().packed()), REPLY, REPLY),
    row("F09", "a gibibyte in a mebibyte", |good| encoded(good, "gzip", &BOMB), TOO_LARGE, UNKNOWN),
    row("F09", "nine mebibytes", |good| answer(&good.clone().with_body(vec![b' '; 9 << 20])), TOO_LARGE, UNKNOWN),
    row("F09", "a packed packed reply", |good| encoded(good, "gzip", &gzip(&gzip(&good.body))), UNREADABLE, UNKNOWN),
    row("F09", "gzip, gzip", |good| encoded(good, "gzip, gzip", &gzip(&gzip(&good.body))), UNREADABLE, UNKNOWN),
    row("F09", "deflate", |good| encoded(good, "deflate", &gzip(&good.body)[10..]), UNREADABLE, UNKNOWN),
    row("F09", "br", |good| encoded(good, "br", b"\x0b\x02\x80\xff\x03"), UNREADABLE, UNKNOWN),
    row("F09", "zstd", |good| encoded(good, "zstd", b"\x28\xb5\x2f\xfd\x04\x00\xff\x00"), UNREADABLE, UNKNOWN),
    row("F09", "a wrong sum", |good| encoded(good, "gzip", &gzip_with_wrong_sum(&good.body)), BROKEN, UNKNOWN),
    row("F09", "half of what is packed", |good| encoded(good, "gzip", &gzip(&good.body)[..20]), BROKEN, UNKNOWN),
    row("F09", "gzip that is none", |good| encoded(good, "gzip", &good.body), BROKEN, UNKNOWN),
];

/// A chunked reply without its last, empty chunk.
fn without_end(mut chunked: Vec<u8>) -> Vec<u8> {
    chunked.truncate(chunked.len() - b"0\r\n\r\n".len());
    chunked
}
