//! What strangers may try against a service, and what it costs: the figures of an unprotected server stand in the plan.
//!
//! Each attack runs beside one caller who does nothing wrong, whose slowest calls tell what others notice.

mod raw;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{Failure, harness::Ground, load::Callers, process::Process, work::Work};
use raw::{
    CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, block,
    call, frame,
};

/// The slowest of a hundred calls of the good caller may take this long.
const MOST_LATENCY: Duration = Duration::from_millis(50);
/// How long the good caller calls.
const BESIDE: Duration = Duration::from_secs(3);
/// Memory that readers of nothing may cost, in MiB.
const MOST_MEMORY: f64 = 200.0;
/// Share of a core that a service without descriptors may take.
const MOST_REST: f64 = 0.2;
/// How long a connection may say nothing (`server.preface_seconds`), and a second more.
const SILENCE: Duration = Duration::from_secs(6);
/// `server.drain_seconds` of the attacked service, and what its end may take besides.
const DRAIN: Duration = Duration::from_secs(5);
const AFTERWARDS: Duration = Duration::from_secs(2);

/// One line of the table.
struct Line {
    attack: &'static str,
    outcome: String,
    good: Good,
    peak_mib: f64,
    kept: bool,
}

/// What the good caller noticed.
#[derive(Clone, Copy, Debug, Default)]
struct Good {
    /// The slowest of a hundred calls.
    slowest: Duration,
    failed: usize,
}

/// Runs all attacks, prints a table, and fails if a promise was not kept.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut ground = Ground::open().await?;
    println!("{:24} {:34} {:>12} {:>7} {:>9}", "attack", "outcome", "good p99 ms", "failed", "peak MiB");
    let mut kept = true;
    let service = ground.attacked(&limits(), 4096).await?;
    for (attack, frames, ends) in floods() {
        kept &= flood(&service, attack, &frames, ends).await?.print();
    }
    kept &= crowd(&service).await?.print();
    drop(service);
    let service = ground.attacked(&limits(), 4096).await?;
    kept &= deaf(&service).await?.print();
    drop(service);
    kept &= starved(&ground.attacked(&limits(), 64).await?).await?.print();
    kept &= terminated(ground.attacked(&limits(), 4096).await?).await?.print();
    if kept { Ok(()) } else { Err("not every promise was kept".into()) }
}

/// More connections and calls than usual, or those limits alone would answer; as many calls to the upstream as usual; and a
/// short end.
fn limits() -> Vec<(&'static str, String)> {
    vec![
        ("ISPBRIDGE__SERVER__MAX_CONNECTIONS", "4000".to_owned()),
        ("ISPBRIDGE__SERVER__MAX_CONNECTIONS_PER_IP", "4000".to_owned()),
        ("ISPBRIDGE__SERVER__MAX_IN_FLIGHT", "4000".to_owned()),
        ("ISPBRIDGE__ACCOUNTS__MAIN__TRANSPORT__IN_FLIGHT", "8".to_owned()),
        ("ISPBRIDGE__SERVER__ANNOUNCE_SECONDS", "0".to_owned()),
        ("ISPBRIDGE__SERVER__DRAIN_SECONDS", DRAIN.as_secs().to_string()),
    ]
}

impl Good {
    fn is_served(self) -> bool {
        self.failed == 0 && self.slowest <= MOST_LATENCY
    }
}

impl Line {
    fn print(self) -> bool {
        let slowest = self.good.slowest.as_secs_f64() * 1e3;
        let kept = if self.kept { "" } else { "  MISSED" };
        println!(
            "{:24} {:34} {slowest:>12.1} {:>7} {:>9.1}{kept}",
            self.attack, self.outcome, self.good.failed, self.peak_mib
        );
        self.kept
    }
}

/// Frames that cost their sender little, and whether they must end the connection.
fn floods() -> Vec<(&'static str, Vec<u8>, bool)> {
    let path = Work::Read.path();
    let open = frame(HEADERS, END_HEADERS, 1, &block(path));
    let reset = |index: u32| {
        let stream = 1 + 2 * index;
        [frame(HEADERS, END_HEADERS, stream, &block(path)), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    let endless = [frame(HEADERS, 0, 1, &block(path)), frame(CONTINUATION, 0, 1, &[]).repeat(20_000)].concat();
    vec![
        ("nothing", Vec::new(), false),
        ("rapid reset 10 000", (0..10_000).flat_map(reset).collect(), true),
        ("CONTINUATION 20 000", endless, true),
        ("PING 400 000", frame(PING, 0, 0, &[7; 8]).repeat(400_000), true),
        ("SETTINGS 400 000", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 99]).repeat(400_000), true),
        ("PRIORITY 400 000", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9]).repeat(400_000), true),
        ("empty DATA 20 000", [open.clone(), frame(DATA, 0, 1, &[]).repeat(20_000)].concat(), true),
        ("1-byte DATA 20 000", [open, frame(DATA, 0, 1, &[0]).repeat(20_000)].concat(), true),
        ("WINDOW_UPDATE overflow", frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()).repeat(2), true),
        ("last stream id twice", [call(0x7fff_ffff, "p"), call(0x7fff_ffff, "p")].concat(), false),
    ]
}

/// The good caller's calls while something else happens.
async fn beside<T>(service: &Process, attack: impl Future<Output = T>) -> Result<(T, Good), Failure> {
    let mut caller = Callers::connect(service.address, Work::Read, 1).await?.one(0);
    let calls = async {
        let (begun, mut latencies, mut failed) = (Instant::now(), Vec::new(), 0);
        while begun.elapsed() < BESIDE {
            let before = Instant::now();
            failed += usize::from(caller.code().await != "0");
            latencies.push(before.elapsed());
        }
        latencies.sort_unstable();
        Good { slowest: latencies[(latencies.len() - 1) * 99 / 100], failed }
    };
    Ok(tokio::join!(attack, calls))
}

async fn flood(service: &Process, attack: &'static str, frames: &[u8], ends: bool) -> Result<Line, Failure> {
    let (outcome, good) = beside(service, async {
        if frames.is_empty() {
            return Ok("".to_owned());
        }
        let mut raw = Raw::connect(service.address, &[]).await?;
        // In pieces: what is written after the end resets the connection, and its last word is lost.
        for piece in frames.chunks(64 << 10) {
            if !raw.send(piece).await {
                break;
            }
        }
        Ok::<_, std::io::Error>(raw.end().await)
    })
    .await?;
    let outcome = outcome?;
    let peak_mib = service.peak()?;
    let kept = (!ends || outcome != "still open") && good.is_served() && peak_mib < MOST_MEMORY;
    Ok(Line { attack, outcome, good, peak_mib, kept })
}

/// Connections that say nothing, and others that say half of hello.
async fn silent(address: SocketAddr) -> Result<Vec<TcpStream>, Failure> {
    let mut crowd = Vec::new();
    for index in 0..700 {
        let mut stream = TcpStream::connect(address).await?;
        if index >= 500 {
            stream.write_all(&PREFACE[..16]).await?;
        }
        crowd.push(stream);
    }
    Ok(crowd)
}

async fn crowd(service: &Process) -> Result<Line, Failure> {
    let (gone, good) = beside(service, async {
        let begun = Instant::now();
        let mut waiting = JoinSet::new();
        for mut stream in silent(service.address).await? {
            waiting.spawn(async move { timeout(SILENCE * 3, stream.read_to_end(&mut Vec::new())).await.is_ok() });
        }
        let mut gone = 0;
        while let Some(ended) = waiting.join_next().await {
            gone += usize::from(ended?);
        }
        Ok::<_, Failure>((gone, begun.elapsed()))
    })
    .await?;
    let (gone, after) = gone?;
    let outcome = format!("{gone} of 700 gone in {:.1} s", after.as_secs_f64());
    let kept = gone == 700 && after <= SILENCE && good.is_served();
    Ok(Line { attack: "500 silent, 200 half", outcome, good, peak_mib: service.peak()?, kept })
}

/// Fifty connections, each with twenty calls whose replies of 3 MiB have a window of nothing.
async fn deaf(service: &Process) -> Result<Line, Failure> {
    let (connections, good) = beside(service, async {
        let mut connections = Vec::new();
        for _ in 0..50 {
            let mut raw = Raw::connect(service.address, &[(4, 0)]).await?;
            for index in 0..20 {
                raw.send(&call(1 + 2 * index, "large")).await;
                // Not more at a time than the account may have, or they would be refused at once.
                sleep(Duration::from_millis(10)).await;
            }
            connections.push(raw);
        }
        Ok::<_, Failure>(connections)
    })
    .await?;
    let outcome = format!("{} connections, 1000 replies", connections?.len());
    let peak_mib = service.peak()?;
    let kept = peak_mib < MOST_MEMORY && good.is_served();
    Ok(Line { attack: "zero window 50 x 20", outcome, good, peak_mib, kept })
}

/// As many connections as there are descriptors, and more.
async fn starved(service: &Process) -> Result<Line, Failure> {
    let (worked, good) = beside(service, async {
        let mut crowd = Vec::new();
        for _ in 0..100 {
            crowd.push(TcpStream::connect(service.address).await?);
        }
        sleep(Duration::from_millis(300)).await;
        // What the good caller costs is counted as well.
        let before = service.cpu()?;
        sleep(Duration::from_secs(2)).await;
        Ok::<_, Failure>((service.cpu()? - before).as_secs_f64() / 2.0)
    })
    .await?;
    let alone = idle_share(service).await?;
    let outcome = format!("{:.0} % of a core, {:.0} % alone", worked? * 100.0, alone * 100.0);
    Ok(Line { attack: "64 descriptors", outcome, good, peak_mib: service.peak()?, kept: alone < MOST_REST })
}

/// The share of a core that the service takes at its limit of descriptors while nobody calls.
async fn idle_share(service: &Process) -> Result<f64, Failure> {
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(TcpStream::connect(service.address).await?);
    }
    sleep(Duration::from_millis(300)).await;
    let before = service.cpu()?;
    sleep(Duration::from_secs(2)).await;
    Ok((service.cpu()? - before).as_secs_f64() / 2.0)
}

/// The end of a process on which everybody hangs.
async fn terminated(mut service: Process) -> Result<Line, Failure> {
    let _crowd = silent(service.address).await?;
    let mut deaf = Raw::connect(service.address, &[(4, 0)]).await?;
    for index in 0..20 {
        deaf.send(&call(1 + 2 * index, "large")).await;
    }
    let peak_mib = service.peak()?;
    let took = service.terminate(DRAIN + AFTERWARDS * 5).await?;
    let outcome = took.map_or("still runs".to_owned(), |took| format!("SIGTERM to end {:.1} s", took.as_secs_f64()));
    let kept = took.is_some_and(|took| took <= DRAIN + AFTERWARDS);
    Ok(Line { attack: "SIGTERM among them", outcome, good: Good::default(), peak_mib, kept })
}
