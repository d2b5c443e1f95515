//! Where callers are: in log, audit, live view and failures, with clients of others in front.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use ispbridge_parts::{CURL, PYTHON};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    KEY,
    apart::Apart,
    backend::{ADD, Backend, Behaviour},
    caller::{ALL, Suite, config_with},
    payload,
    status::{admin, status},
};

const CLIENT: &str = "203.0.113.7";

/// The next call that `/tap` shows; ready when it looks.
async fn tapped(admin: SocketAddr) -> tokio::task::JoinHandle<Value> {
    let (ready, begun) = tokio::sync::oneshot::channel();
    let looked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(admin).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET /tap HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        lines.by_ref().find(String::is_empty).unwrap();
        ready.send(()).unwrap();
        serde_json::from_str(&lines.find(|line| line.starts_with('{')).unwrap()).unwrap()
    });
    begun.await.unwrap();
    looked
}

#[tokio::test]
async fn the_address_of_a_caller_stands_wherever_its_call_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let backend = Backend::start().await;
    backend.behave(&[Behaviour::BadGateway]);
    let more = format!(
        "audit = {{ file = {file:?} }}\n\
         server = {{ listen = \"127.0.0.1:0\", forwarded = {{ from = [\"127.0.0.1\"] }} }}"
    );
    let suite = Suite::serving(config_with(backend.address, &more)).await;
    suite.until_learnt().await;
    let tapped = tapped(suite.running.admin_addr().unwrap()).await;
    suite.call(ADD, &[KEY, ("forwarded", "for=\"203.0.113.7:4711\";proto=https")], payload()).await;
    assert_eq!(tapped.await.unwrap()["client_address"], CLIENT);
    assert_eq!(status(&suite).await["failures"][0]["client_address"], CLIENT);
    assert!(backend.arrivals()[0].headers.keys().all(|name| !name.as_str().contains("forwarded")));
    suite.running.drain().await;
    let line: Value = serde_json::from_str(fs::read_to_string(&file).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!(line["client_address"], CLIENT);
}

fn gateway(server: &str) -> (TempDir, Apart) {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Apart::start(folder.path(), server);
    (folder, gateway)
}

/// Runs a command that must succeed; what it prints.
async fn printed(mut command: Command) -> String {
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

fn curl(gateway: &Apart, words: &[&str]) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "10", "-o", "-", "-w", "\n%{http_code}", "-d", "{}"]);
    curl.args(["-H", "content-type: application/json", "-H", &format!("x-api-key: {ALL}")]).args(words);
    curl.arg(format!("http://{}{ADD}", gateway.grpc));
    curl
}

/// A client of version 2 that is no library of ours: it prints the status line of the answer.
const PROXY: &str = r#"
import socket, struct, sys
host, port = sys.argv[1].rsplit(":", 1)
block = socket.inet_aton("203.0.113.7") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 56324, 443)
block += b"\x04" + struct.pack("!H", 3) + b"abc"
header = b"\r\n\r\n\x00\r\nQUIT\n" + bytes([0x20 | int(sys.argv[2]), 0x11]) + struct.pack("!H", len(block)) + block
body = b"{}"
request = b"POST /ispbridge.fake_isp.v1.CustomerService/AddCustomer HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"
request += b"Content-Type: application/json\r\nX-Api-Key: wrong\r\nContent-Length: 2\r\n\r\n" + body
with socket.create_connection((host, int(port)), timeout=10) as stream:
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in header + request[:5]:
        stream.sendall(bytes([byte]))
    stream.sendall(request[5:])
    print(stream.makefile("rb").readline().decode().strip())
"#;

#[tokio::test]
async fn curl_and_python_are_proxies_too() {
    if !CURL.is_here() || !PYTHON.is_here() {
        return;
    }
    let (_folder, behind) = gateway("server.proxy_protocol.from = [\"127.0.0.1\"]\nguesses.per_minute = 0");
    // curl says where it is itself.
    assert!(printed(curl(&behind, &["--haproxy-protocol"])).await.ends_with("\n401"));
    for (command, client) in [("1", CLIENT), ("0", "127.0.0.1")] {
        let mut python = Command::new(PYTHON.program());
        python.args(["-c", PROXY, &behind.grpc.to_string(), command]);
        assert_eq!(printed(python).await, "HTTP/1.1 401 Unauthorized\n");
        let calls = async {
            while behind.said("call").last().is_none_or(|line| line["client_address"] != client) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), calls).await.expect("the log has the address");
    }
    // A keep-alive of two requests on one connection, which curl begins with one header.
    let url = format!("http://{}{ADD}", behind.grpc);
    let twice = printed(curl(&behind, &["--haproxy-protocol", "-d", "{}", &url])).await;
    assert_eq!(twice.matches("\n401").count(), 2, "{twice}");
    // Without a header a proxy gets nothing, and with one nobody else does.
    let refused = curl(&behind, &[]).output().unwrap();
    assert!(!refused.status.success() && refused.stdout.ends_with(b"\n000"), "{refused:?}");
    let (_folder, direct) = gateway("");
    let refused = curl(&direct, &["--haproxy-protocol"]).output().unwrap();
    assert!(!refused.status.success() && refused.stdout.ends_with(b"\n000"), "{refused:?}");
    for (gateway, reason, words) in [
        (
            &behind,
            "proxy_header_missing",
            "a connection was refused: server.proxy_protocol wants a PROXY header from it",
        ),
        (
            &direct,
            "proxy_header_forbidden",
            "a connection was refused: it began with a PROXY header and is not from server.proxy_protocol",
        ),
    ] {
        let line = gateway.says(words, 0).await;
        assert_eq!((&line["reason"], &line["client_address"]), (&json!(reason), &json!("127.0.0.1")));
        let (_, body) = admin(gateway.admin, "GET /status.json").await;
        let shown: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(shown["refused"]["connections"][0]["reason"], reason);
    }
}

#[tokio::test]
async fn the_limit_of_open_files_is_raised_and_said() {
    let (_folder, gateway) = gateway("server.max_connections = 4000000000");
    let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = [3, 4].map(|index| line.split_whitespace().nth(index).unwrap());
    assert_eq!(soft, hard);
    assert!(gateway.said("the limit of open files was raised").len() + gateway.said(AS_HIGH).len() == 1);
    let warned = gateway.says(BEYOND, 0).await;
    assert_eq!((&warned["level"], warned["limit"].as_u64()), (&json!("WARN"), hard.parse().ok()));
}

const AS_HIGH: &str = "the limit of open files is as high as it may be";
const BEYOND: &str = "server.max_connections is more than the limit of open files lets (ulimit -n): connections beyond it are \
                      refused";
