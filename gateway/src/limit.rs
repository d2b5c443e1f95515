//! How many calls a principal may have in flight; what comes beyond is refused at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tonic::Code;

use crate::{
    answer::{Answer, Outcome},
    principal::Principal,
};

/// When a refused caller may come again.
const COME_AGAIN: Duration = Duration::from_millis(500);

/// A principal's place for one call, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket(Arc<AtomicUsize>);

impl Ticket {
    /// Takes a place, if the principal has one left.
    pub(crate) fn take(principal: &Principal) -> Result<Self, Box<Answer>> {
        let free = |taken: usize| (taken < principal.limit).then_some(taken + 1);
        let counter = &principal.in_flight;
        match counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free) {
            Ok(_) => Ok(Self(Arc::clone(counter))),
            Err(_) => Err(too_many(principal)),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn too_many(principal: &Principal) -> Box<Answer> {
    let text = format!("{} calls of this principal are in flight, which is the limit", principal.limit);
    Answer::new(Code::ResourceExhausted, "TOO_MANY_CALLS", text.clone())
        .quota(&format!("principal:{}", principal.name), &text)
        .outcome(Outcome::NotSent)
        .retry_after(COME_AGAIN)
}

/// All connections to a provider carry as many calls as they may.
pub(crate) fn busy(provider: &str) -> Box<Answer> {
    let text = format!("as many calls to provider {provider} are in flight as its instances take");
    Answer::new(Code::ResourceExhausted, "PROVIDER_BUSY", text.clone())
        .quota(&format!("provider:{provider}"), &text)
        .with("provider", provider)
        .outcome(Outcome::NotSent)
        .retry_after(COME_AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_ticket_is_dropped() {
        let principal = Principal { limit: 1, ..Principal::default() };
        let ticket = Ticket::take(&principal).unwrap();
        let refused = Ticket::take(&principal).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        drop(ticket);
        assert!(Ticket::take(&principal).is_ok());
    }
}
