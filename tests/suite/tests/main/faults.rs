//! One table of faults over a read and a write of every provider on every wire.
//!
//! The rows are in `fault_rows`; the faults that need a course of events have tests of their own. Where each is held:
//!
//! | id | what | where |
//! |---|---|---|
//! | F01, F02 | the reply breaks off, or never comes | rows |
//! | F03 | kept connections that are dead | `fault_sequences::dead_kept_connections_cost_no_write` |
//! | F04 | slow and silent upstreams | rows, with what stays behind: no connection, no call in flight |
//! | F05 | an outage and its end | `fault_sequences::an_outage_is_left_alone_and_its_end_is_noticed` |
//! | F06 | `Retry-After` | rows; `fault_sequences::who_is_asked_to_wait_waits` |
//! | F07 | a reply cut at every byte of a write's | `fault_sequences::a_reply_cut_at_any_byte_is_no_success` |
//! | F08 | replies that are none | rows; each provider's fixtures for its own faults |
//! | F09 | encodings and bombs | rows; `fault_sequences::bombs_cost_little_memory` |
//! | F10 | redirects | `fault_sequences::no_redirect_is_followed` |
//! | F11, F12 | certificates, names that nobody knows (nothing keeps an address: each connection asks anew) | `certificates` |
//! | F14 | a gateway that is told to end under load | `farewell` |
//! | F15 | an end that peers hold up | chassis, `stopping` |
//! | F17 | a collector that is away, mute, slow or full | `collectors` |
//! | F22 | callers who go away | `cancelling` |
//! | F23 | deadlines of all sizes | `deadlines` |
//! | F26 | every key of every configuration | `configuration`; `reload` for those read again |
//! | F27 | a handler that panics | chassis, `calls::a_panic_costs_one_call_and_says_nothing` |
//!
//! The engine's own proof of F01 to F10, without a provider, is `engine` in crates/bridge.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ispbridge_kit::{Act, Hostile, Reply, http1::until_metric};
use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    fault_rows::ROWS,
    tree::folders,
    wires::{Account, Codec, SECRET, Site, VERBS, Verb, WIRES, Wire, calls},
};

/// What a caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A reply.
    Reply,
    /// A code, a reason and an outcome.
    Refusal(Code, &'static str, &'static str),
}

/// What a call gets and how often it may reach the upstream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) told: Told,
    pub(crate) most: usize,
}

/// One fault.
pub(crate) struct Row {
    /// Its id in the list of faults.
    pub(crate) id: &'static str,
    /// What the upstream does.
    pub(crate) what: &'static str,
    /// The same to a request, in order.
    pub(crate) acts: fn(&Reply) -> Vec<Act>,
    /// `https` or `http`.
    pub(crate) scheme: &'static str,
    /// More keys of the account's transport.
    pub(crate) transport: &'static str,
    /// How long the caller waits.
    pub(crate) patience: Duration,
    pub(crate) read: Verdict,
    pub(crate) write: Verdict,
}

impl Row {
    fn verdict(&self, verb: Verb) -> Verdict {
        if verb == Verb::Read { self.read } else { self.write }
    }
}

/// A row and a verb on their way.
struct Case {
    row: &'static Row,
    verb: Verb,
    alias: String,
    upstream: Hostile,
}

impl Case {
    async fn new(wire: Wire, index: usize, row: &'static Row, verb: Verb) -> Self {
        let upstream = wire.upstream((row.acts)(&wire.reply(verb))).await;
        Self { row, verb, alias: format!("{verb:?}-{index}").to_lowercase(), upstream }
    }

    fn account(&self) -> Account {
        let origin = format!("{}://{}", self.row.scheme, self.upstream.address);
        Account { alias: self.alias.clone(), origin, transport: self.row.transport.to_owned() }
    }

    /// What is not as the row says.
    async fn play(&self, site: &Site) -> Option<String> {
        let answer = site.call(self.verb, &self.alias, self.row.patience).await;
        let (verdict, made) = (self.row.verdict(self.verb), calls(&self.upstream));
        let may_be_none = matches!(verdict.told, Told::Refusal(_, _, "NOT_SENT"));
        let is_right = verdict.told.is_in(&answer) && made <= verdict.most && (made > 0 || may_be_none);
        let shown = format!("{answer:?}");
        let failure = format!(
            "{:?} {} {} ({:?}): {made} calls\n    {shown:.400}",
            site.wire, self.row.id, self.row.what, self.verb
        );
        (!is_right || shown.contains(SECRET)).then_some(failure)
    }
}

impl Told {
    fn is_in(self, answer: &Result<Value, Status>) -> bool {
        match (self, answer) {
            (Self::Reply, Ok(_)) => true,
            (Self::Refusal(code, reason, outcome), Err(status)) => {
                let info = status.get_details_error_info();
                let seen = info.map(|info| (info.metadata.get("outcome").cloned().unwrap_or_default(), info.reason));
                status.code() == code && seen == Some((outcome.to_owned(), reason.to_owned()))
            }
            _ => false,
        }
    }
}

/// Plays every row, those of slow upstreams by themselves: who looks at a clock must not be held up by a bomb.
async fn play(wire: Wire) {
    // Nothing in a form shows where it ends.
    let is_seen = |row: &&Row| wire.codec != Codec::Form || row.what != "a shorter length";
    let (slow, other): (Vec<_>, Vec<_>) = ROWS.iter().filter(is_seen).partition(|row| row.id == "F04");
    for rows in [slow, other] {
        let failures = play_at_once(wire, rows).await;
        assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    }
}

/// Plays rows, each with an account and an upstream of its own, and says what was not as they say.
async fn play_at_once(wire: Wire, rows: Vec<&'static Row>) -> Vec<String> {
    let mut cases = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        for verb in VERBS {
            cases.push(Case::new(wire, index, row, verb).await);
        }
    }
    let accounts: Vec<_> = cases.iter().map(Case::account).collect();
    let site = Arc::new(Site::open(wire, &accounts).await);
    let played = cases.into_iter().map(|case| {
        let site = site.clone();
        tokio::spawn(async move {
            let failure = case.play(&site).await;
            if case.row.id == "F04" {
                case.upstream.until_closed().await;
            }
            failure
        })
    });
    let mut failures = Vec::new();
    for case in played.collect::<Vec<_>>() {
        failures.extend(case.await.unwrap());
    }
    until_metric(site.admin, "ispbridge_calls_in_flight{", &[], |calls| calls == 0.0).await;
    failures
}

#[tokio::test]
async fn faults_of_a_rest_upstream() {
    play(Wire::AEX).await;
}

#[tokio::test]
async fn faults_of_an_xml_rpc_upstream() {
    play(Wire::FREESIDE).await;
}

#[tokio::test]
async fn faults_of_a_soap_upstream() {
    play(Wire::AZOTEL).await;
}

#[tokio::test]
async fn faults_of_the_same_upstream_over_rest() {
    play(Wire::AZOTEL_REST).await;
}

#[tokio::test]
async fn faults_of_every_further_upstream() {
    let own = [Wire::AEX, Wire::FREESIDE, Wire::AZOTEL, Wire::AZOTEL_REST];
    for &wire in WIRES.iter().filter(|wire| !own.contains(wire)) {
        play(wire).await;
    }
}

#[test]
fn the_table_is_played_over_every_provider() {
    let played: BTreeSet<_> = WIRES.iter().map(|wire| wire.provider).collect();
    let all = folders("services");
    assert!(all.iter().all(|provider| played.contains(provider.as_str())), "{all:?}");
}
