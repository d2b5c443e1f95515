//! Faults that are a course of events: what one reply alone does not show.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use ispbridge_kit::{
    Act, Hostile, Reply,
    clock::{self, goes_on},
    reply::{ERROR_PAGE, bomb},
};
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    caller::Refusal,
    wires::{Account, Apart, Codec, Site, VERBS, Verb, WIRES, Wire, calls},
};

const WRITES: usize = 200;

/// An upstream whose connections are dead after their first request, though nothing says so; counts what it did.
async fn forgetful(wire: Wire) -> (Hostile, Arc<AtomicUsize>) {
    let written = Arc::new(AtomicUsize::new(0));
    let login = wire.acting(vec![Act::Mute]);
    let [read, write] = VERBS.map(|verb| Act::Answer(wire.reply(verb).bytes()));
    let counted = written.clone();
    let upstream = Hostile::start(move |asked| {
        let is = |verb| asked.text.contains(wire.operation(verb));
        match asked.before {
            0 if is(Verb::Read) => read.clone(),
            0 if is(Verb::Write) => {
                counted.fetch_add(1, Ordering::SeqCst);
                write.clone()
            }
            0 => login(asked),
            _ => Act::Close(Vec::new()),
        }
    });
    (upstream.await, written)
}

#[tokio::test]
async fn dead_kept_connections_cost_no_write() {
    for &wire in WIRES {
        let (upstream, written) = forgetful(wire).await;
        let site = Site::at(wire, &upstream).await;
        for number in 0..WRITES {
            if number % 4 == 0 {
                site.ask(Verb::Read).await;
            }
            site.ask(Verb::Write).await;
        }
        assert_eq!(written.load(Ordering::SeqCst), WRITES, "{wire:?}");
        assert_eq!(upstream.count(wire.operation(Verb::Write)), WRITES, "{wire:?}");
        assert!(upstream.count(wire.operation(Verb::Read)) > WRITES / 4, "{wire:?}: no connection was dead");
    }
}

#[tokio::test]
async fn an_outage_is_left_alone_and_its_end_is_noticed() {
    for &wire in WIRES {
        let upstream = wire.upstream(vec![Act::Answer(Reply::page(503, ERROR_PAGE).bytes())]).await;
        let site = Site::at(wire, &upstream).await;
        let mut refusal = site.refused(Verb::Read).await;
        for _ in 0..40 {
            refusal = site.refused(Verb::Read).await;
        }
        refusal.assert(Code::Unavailable, "UPSTREAM_BREAKER_OPEN", "NOT_SENT");
        let wait = refusal.status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!(wait <= Duration::from_secs(5), "{wait:?}");
        let during = calls(&upstream);
        // Twenty outcomes are what it takes, and a last repeat may be on its way.
        assert!((10..=22).contains(&during), "{wire:?}: {during} calls");
        site.refused(Verb::Write).await.assert(Code::Unavailable, "UPSTREAM_BREAKER_OPEN", "NOT_SENT");
        assert_eq!(upstream.count(wire.operation(Verb::Write)), 0, "{wire:?}");
        upstream.act(wire.acting(vec![Act::Answer(wire.reply(Verb::Read).bytes())]));
        clock::skip(Duration::from_secs(6)).await;
        for _ in 0..5 {
            site.ask(Verb::Read).await;
        }
        assert_eq!(calls(&upstream) - during, 5, "{wire:?}");
    }
}

/// An upstream that fails once, and asks for a time.
async fn asking(wire: Wire, wait: &str) -> (Hostile, Site) {
    let fails = Reply::page(503, ERROR_PAGE).with("retry-after", wait).bytes();
    let upstream = wire.upstream(vec![Act::Answer(fails), Act::Answer(wire.reply(Verb::Read).bytes())]).await;
    let site = Site::at(wire, &upstream).await;
    (upstream, site)
}

async fn waits(wire: Wire) {
    let (upstream, site) = asking(wire, "1").await;
    {
        let mut read = pin!(site.ask(Verb::Read));
        goes_on(&mut read, Duration::from_millis(950)).await;
        assert_eq!(calls(&upstream), 1, "{wire:?}");
        read.await;
    }
    assert_eq!(calls(&upstream), 2, "{wire:?}");
    let until = SystemTime::now() + Duration::from_secs(3);
    let (upstream, site) = asking(wire, &httpdate::fmt_http_date(until)).await;
    site.ask(Verb::Read).await;
    // A date has no parts of a second.
    assert!(SystemTime::now() + Duration::from_secs(1) >= until, "{wire:?}");
    assert_eq!(calls(&upstream), 2, "{wire:?}");
    let (upstream, site) = asking(wire, "1000000000").await;
    let refusal = site.refused(Verb::Read).await;
    assert!(refusal.status.get_details_retry_info().unwrap().retry_delay.unwrap() > Duration::from_secs(3600));
    assert_eq!(calls(&upstream), 1, "{wire:?}");
}

#[tokio::test]
async fn who_is_asked_to_wait_waits() {
    for task in WIRES.iter().map(|wire| tokio::spawn(waits(*wire))).collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

/// Every byte of a write's reply, which is short, and some fifty places of a read's.
async fn cut(wire: Wire, verb: Verb) {
    let good = wire.reply(verb);
    let upstream = wire.upstream(vec![Act::Close(good.endless())]).await;
    let site = Site::at(wire, &upstream).await;
    site.ask(verb).await;
    let end = good.body.trim_ascii_end().len();
    let step = if verb == Verb::Write { 1 } else { end / 50 };
    for at in (0..end).step_by(step) {
        let part = good.clone().with_body(&good.body[..at]).endless();
        upstream.act(wire.acting(vec![Act::Close(part)]));
        let before = calls(&upstream);
        let refusal = site.refused(verb).await;
        let code = if verb == Verb::Read { Code::Internal } else { Code::Aborted };
        assert_eq!((refusal.status.code(), refusal.note("outcome")), (code, "UNKNOWN"), "{wire:?} {verb:?} {at}");
        assert_eq!(calls(&upstream) - before, 1, "{wire:?} {verb:?} {at}");
    }
}

#[tokio::test]
async fn a_reply_cut_at_any_byte_is_no_success() {
    let cuts = WIRES
        .iter()
        .filter(|wire| wire.codec != Codec::Form)
        .flat_map(|&wire| VERBS.map(|verb| tokio::spawn(cut(wire, verb))));
    for cut in cuts.collect::<Vec<_>>() {
        cut.await.unwrap();
    }
}

#[tokio::test]
async fn bombs_cost_little_memory() {
    for &wire in WIRES {
        let packed = wire.reply(Verb::Read).with("content-encoding", "gzip").with_body(bomb(1024)).bytes();
        let upstream = wire.upstream(vec![Act::Answer(packed)]).await;
        let apart = Apart::start(wire, &[Account::at("main", &upstream)], "", &[]).await;
        let before = apart.child.number("VmHWM");
        let site = Arc::new(apart.site);
        let refused = [Verb::Read, Verb::Write].map(|verb| {
            let site = site.clone();
            tokio::spawn(async move { site.refused(verb).await })
        });
        let [read, write] = refused;
        read.await.unwrap().assert(Code::ResourceExhausted, "UPSTREAM_BODY_TOO_LARGE", "UNKNOWN");
        write.await.unwrap().assert(Code::Aborted, "OUTCOME_UNKNOWN", "UNKNOWN");
        let grown = (apart.child.number("VmHWM") - before) / 1024;
        assert!(grown <= 64, "{wire:?}: {grown} MiB for two replies of at most 8 MiB");
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Hostile::script(vec![Act::Mute]).await;
    let (port, secret) = (elsewhere.address.port(), "secret-of-the-location");
    let targets = [
        format!("http://127.0.0.1:{port}/?token={secret}"),
        format!("http://localhost:{port}/?token={secret}"),
        format!("/elsewhere?token={secret}"),
    ];
    for &wire in WIRES {
        let upstream = wire.upstream(vec![Act::Mute]).await;
        let site = Site::at(wire, &upstream).await;
        for (status, target) in
            [301, 302, 303, 307, 308].into_iter().flat_map(|status| targets.iter().map(move |target| (status, target)))
        {
            let moved = Reply::new(status).with("location", target).bytes();
            upstream.act(wire.acting(vec![Act::Answer(moved)]));
            for verb in VERBS {
                let before = calls(&upstream);
                let refusal: Refusal = site.refused(verb).await;
                refusal.assert(Code::FailedPrecondition, "UPSTREAM_REDIRECT", "REJECTED");
                assert!(!format!("{:?}", refusal.status).contains(secret), "{:?}", refusal.status);
                assert_eq!(calls(&upstream) - before, 1, "{wire:?} {status}");
            }
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}
