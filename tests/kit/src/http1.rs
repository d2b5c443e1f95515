//! The simplest client of HTTP/1.1, for admin ports and stand-ins.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// How long a number may take to become what a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a text and reads to the end of the connection.
///
/// # Panics
/// If nobody is there.
pub async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asks for a path.
pub async fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await
}

/// Asks for the numbers as a scraper does that prefers OpenMetrics.
pub async fn open_metrics(admin: SocketAddr) -> String {
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let request = format!("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
    exchange(admin, &request).await
}

/// The sum of the metrics whose line begins like this and has all of these words.
///
/// # Panics
/// If such a line does not end in a number.
pub async fn metric(admin: SocketAddr, begins: &str, words: &[&str]) -> f64 {
    let text = get(admin, "/metrics").await;
    let lines = text.lines().filter(|line| line.starts_with(begins) && words.iter().all(|word| line.contains(word)));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// Asks until [`metric`] is what it should be.
///
/// # Panics
/// If it does not become that.
pub async fn until_metric(admin: SocketAddr, begins: &str, words: &[&str], is_so: impl Fn(f64) -> bool) {
    let seen = async {
        while !is_so(metric(admin, begins, words).await) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    if timeout(PATIENCE, seen).await.is_err() {
        panic!("{begins} {words:?} in {}", get(admin, "/metrics").await);
    }
}
