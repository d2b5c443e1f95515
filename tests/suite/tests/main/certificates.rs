//! Upstreams whose certificate or name is wrong. The service trusts the authority of the test as it trusts those of its
//! machine, by `SSL_CERT_FILE`: it has no key for authorities of its own.

use std::{fs, time::Duration};

use ispbridge_kit::{
    Act, Hostile, Reply,
    clock::comes,
    pki::{Authority, Flaw, NAME, TLS_1_1, VERSIONS},
};
use tempfile::TempDir;
use tonic::Code;

use crate::{
    caller::Refusal,
    wires::{Account, Apart, Site, VERBS, Verb, WIRES, Wire, calls},
};

const PATIENCE: Duration = Duration::from_secs(25);

/// An account and the upstream that it finds.
struct Door {
    alias: &'static str,
    upstream: Hostile,
}

impl Door {
    /// The breaker of an account would keep a second call from a door that nobody gets through.
    fn alias(&self, verb: Verb) -> String {
        format!("{}-{verb:?}", self.alias).to_lowercase()
    }

    fn account(&self, verb: Verb) -> Account {
        Account {
            alias: self.alias(verb),
            origin: format!("https://{NAME}:{}", self.upstream.address.port()),
            transport: "connect_seconds = 2.0".to_owned(),
        }
    }
}

/// Upstreams that nobody should talk to; each would give a good answer.
async fn doors(wire: Wire, authority: &Authority) -> Vec<Door> {
    let good = || wire.acting(vec![Act::Answer(wire.reply(Verb::Read).bytes())]);
    let stranger = Authority::default();
    let configs = [
        ("expired", authority.server(Flaw::Expired)),
        ("not-yet-valid", authority.server(Flaw::NotYetValid)),
        ("other-host", authority.server(Flaw::OtherHost)),
        ("self-signed", authority.server(Flaw::SelfSigned)),
        ("other-authority", stranger.server(Flaw::None)),
        ("wants-a-certificate-12", authority.demanding(VERSIONS[0])),
        ("wants-a-certificate-13", authority.demanding(VERSIONS[1])),
    ];
    let mut doors = Vec::new();
    for (alias, config) in configs {
        doors.push(Door { alias, upstream: Hostile::encrypted(config, good()).await });
    }
    for (alias, said) in [("old", TLS_1_1), ("closes", b"".as_slice()), ("plain", b"HTTP/1.1 400 Bad Request\r\n\r\n")]
    {
        doors.push(Door { alias, upstream: Hostile::blurting(said).await });
    }
    doors
}

async fn refused(site: &Site, verb: Verb, alias: &str) -> Refusal {
    Refusal::of(site.call(verb, alias, PATIENCE).await.unwrap_err())
}

#[tokio::test]
async fn an_upstream_that_cannot_show_who_it_is_gets_nothing() {
    let (authority, folder) = (Authority::default(), TempDir::new().unwrap());
    let trusted = folder.path().join("trusted.pem");
    fs::write(&trusted, authority.pem()).unwrap();
    for &wire in WIRES {
        let good = wire.acting(vec![Act::Answer(wire.reply(Verb::Read).bytes())]);
        let good = Door { alias: "good", upstream: Hostile::encrypted(authority.server(Flaw::None), good).await };
        let elsewhere = Hostile::script(vec![Act::Mute]).await;
        let down = Reply::new(301).with("location", &format!("http://{}/", elsewhere.address)).bytes();
        let down = Hostile::encrypted(authority.server(Flaw::None), wire.acting(vec![Act::Answer(down)])).await;
        let down = Door { alias: "down", upstream: down };
        let doors = doors(wire, &authority).await;
        let all = || doors.iter().chain([&good, &down]);
        let accounts: Vec<_> = VERBS.into_iter().flat_map(|verb| all().map(move |door| door.account(verb))).collect();
        let apart = Apart::start(wire, &accounts, "", &[("SSL_CERT_FILE", trusted.to_str().unwrap())]).await;
        let site = &apart.site;
        site.call(Verb::Read, "good-read", PATIENCE).await.unwrap();
        for verb in VERBS {
            let told = refused(site, verb, &down.alias(verb)).await;
            told.assert(Code::FailedPrecondition, "UPSTREAM_REDIRECT", "REJECTED");
            for door in &doors {
                let told = refused(site, verb, &door.alias(verb)).await;
                let seen = (told.status.code(), told.info.reason.as_str(), told.note("outcome"));
                let expected = (Code::Unavailable, "UPSTREAM_TLS", "NOT_SENT");
                assert_eq!(seen, expected, "{wire:?} {verb:?} {}: {}", door.alias, told.status.message());
                assert_eq!(door.upstream.requests().len(), 0, "{}", door.alias);
                assert!(door.upstream.connections() > 0, "{}", door.alias);
            }
        }
        assert_eq!((elsewhere.connections(), calls(&good.upstream)), (0, 1));
    }
}

#[tokio::test]
async fn a_name_that_nobody_knows_costs_the_time_of_a_connection() {
    let accounts = ["read", "write"].map(|alias| Account {
        alias: alias.to_owned(),
        origin: "http://supplier.invalid".to_owned(),
        transport: "connect_seconds = 1.0".to_owned(),
    });
    for &wire in WIRES {
        let site = Site::open(wire, &accounts).await;
        for (verb, account) in VERBS.into_iter().zip(&accounts) {
            let told = comes(refused(&site, verb, &account.alias)).await;
            told.assert(Code::Unavailable, "UPSTREAM_UNREACHABLE", "NOT_SENT");
        }
    }
}
