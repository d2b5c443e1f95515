//! Calls at a steady rate, made at their time whatever became of those before; one of five is a write.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ispbridge_aex::contract::{CreateServiceRequest, ServiceCustomer, ServicePremise, ServiceProduct};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, interval},
};
use tonic::Code;
use tonic_types::StatusExt;

use super::Phase;
use crate::{
    Failure,
    load::Caller,
    work::{Work, framed},
};

/// Connections to the gateway.
const CONNECTIONS: usize = 16;
/// One of so many calls is a write.
const WRITES: usize = 5;
const ORDER: &str = "/ispbridge.aex.v1.OrderService/CreateService";

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Well,
    /// Nobody knows whether it took effect.
    Unknown,
    /// Refused, with a code and a reason.
    Refused(String),
}

/// One call and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) phase: Phase,
    /// The id of a write, which the upstream keeps.
    pub(super) order: Option<String>,
    pub(super) end: End,
    /// From the moment at which it was due.
    pub(super) took: Duration,
}

/// Calls that go on until they are ended.
pub(super) struct Load {
    phase: Arc<Mutex<Phase>>,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<Vec<Call>, Failure>>,
}

/// Who makes the calls.
struct Callers {
    reads: Vec<Caller>,
    writes: Vec<Caller>,
}

impl Load {
    pub(super) async fn begin(entrance: SocketAddr, rate: u32) -> Result<Self, Failure> {
        let (phase, callers) = (Arc::new(Mutex::new(Phase::Calm)), Callers::connect(entrance).await?);
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(keep_calling(callers, rate, Arc::clone(&phase), stopped));
        Ok(Self { phase, stop, running })
    }

    /// Calls that are due from now on belong to this phase.
    pub(super) fn enter(&mut self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Ends it, waits for what is under way, and says what became of each call.
    pub(super) async fn end(self) -> Result<Vec<Call>, Failure> {
        self.stop.send_replace(true);
        self.running.await?
    }
}

impl Callers {
    async fn connect(entrance: SocketAddr) -> Result<Self, Failure> {
        let mut callers = Self { reads: Vec::new(), writes: Vec::new() };
        for _ in 0..CONNECTIONS {
            callers.reads.push(Caller::connect(entrance, Work::Read.path(), Work::Read.request()).await?);
            callers.writes.push(Caller::connect(entrance, ORDER, framed(&order("none"))).await?);
        }
        Ok(callers)
    }

    /// Who makes a call, and the id of the order if it is one.
    fn next(&self, number: usize) -> (Caller, Option<String>) {
        if !number.is_multiple_of(WRITES) {
            return (self.reads[number % CONNECTIONS].clone(), None);
        }
        let id = format!("order-{number}");
        (self.writes[number / WRITES % CONNECTIONS].saying(framed(&order(&id))), Some(id))
    }
}

async fn keep_calling(
    callers: Callers,
    rate: u32,
    phase: Arc<Mutex<Phase>>,
    stopped: watch::Receiver<bool>,
) -> Result<Vec<Call>, Failure> {
    let (mut running, mut done) = (JoinSet::new(), Vec::new());
    // What was missed is made up for at once.
    let mut beat = interval(Duration::from_secs(1) / rate);
    for number in 0.. {
        let due = beat.tick().await;
        if *stopped.borrow() {
            break;
        }
        let (caller, order) = callers.next(number);
        let phase = *phase.lock().unwrap_or_else(PoisonError::into_inner);
        running.spawn(call(caller, order, phase, due));
        while let Some(call) = running.try_join_next() {
            done.push(call?);
        }
    }
    while let Some(call) = running.join_next().await {
        done.push(call?);
    }
    Ok(done)
}

async fn call(mut caller: Caller, order: Option<String>, phase: Phase, due: Instant) -> Call {
    let end = match caller.status().await {
        Ok(status) if status.code() == Code::Ok => End::Well,
        Ok(status) => {
            let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
            let refused = format!("{:?} {reason}: {}", status.code(), status.message());
            if reason == "OUTCOME_UNKNOWN" { End::Unknown } else { End::Refused(refused) }
        }
        // The connection to the gateway is not among what may break here.
        Err(error) => End::Refused(error.to_string()),
    };
    Call { phase, order, end, took: due.elapsed() }
}

/// An order whose id is that of its premise.
fn order(id: &str) -> CreateServiceRequest {
    let text = |text: &str| text.to_owned();
    let customer = ServiceCustomer {
        id: text("4348AEF7-AD89-4309-AC29-DCB621C308CF"),
        first_name: text("Jane"),
        last_name: text("Doe"),
        email: text("jane@example.com"),
        username: text("jane"),
        mobile_number: text("0871234567"),
    };
    CreateServiceRequest {
        customer: Some(customer),
        premise: Some(ServicePremise { external_reference: text(id) }),
        service: Some(ServiceProduct { product_id: text("50726131-B525-4732-A2D5-0B3736CDFB69") }),
    }
}
