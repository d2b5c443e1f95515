//! Who sends one wrong key after the other is not listened to for the rest of the minute.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tonic::Code;

use crate::answer::{Answer, Outcome};

/// The time in which guesses are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// Addresses that are remembered; who comes beyond takes the place of the oldest.
const MOST: usize = 4096;

/// Wrong keys by address.
#[derive(Debug)]
pub(crate) struct Guesses {
    begun: Instant,
    /// When all of them are forgotten, in milliseconds from the beginning: a gateway that nobody guesses at takes no lock.
    until: AtomicU64,
    by_address: Mutex<HashMap<IpAddr, Count>>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    since: Instant,
    wrong: u32,
}

impl Default for Guesses {
    fn default() -> Self {
        Self { begun: Instant::now(), until: AtomicU64::new(0), by_address: Mutex::default() }
    }
}

impl Guesses {
    /// Refuses an address that has guessed too often; `most` is how often it may, 0 for any number.
    pub(crate) fn check(&self, address: IpAddr, most: u32) -> Result<(), Box<Answer>> {
        let until = self.until.load(Ordering::Relaxed);
        if most == 0 || until == 0 {
            return Ok(());
        }
        let now = Instant::now();
        if self.millis(now) > until {
            self.until.store(0, Ordering::Relaxed);
            return Ok(());
        }
        let count = self.lock().get(&counted(address)).copied();
        match count.filter(|count| count.wrong >= most).and_then(|count| count.left(now)) {
            Some(left) => Err(refusal(left)),
            None => Ok(()),
        }
    }

    /// Counts a wrong key.
    pub(crate) fn count(&self, address: IpAddr) {
        let now = Instant::now();
        let mut counts = self.lock();
        let address = counted(address);
        if counts.len() >= MOST && !counts.contains_key(&address) {
            make_room(&mut counts, now);
        }
        let count = counts.entry(address).or_insert(Count { since: now, wrong: 0 });
        if count.left(now).is_none() {
            *count = Count { since: now, wrong: 0 };
        }
        count.wrong = count.wrong.saturating_add(1);
        self.until.store(self.millis(now + MINUTE), Ordering::Relaxed);
    }

    fn millis(&self, time: Instant) -> u64 {
        u64::try_from(time.duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Count>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    /// What is left of its minute.
    fn left(&self, now: Instant) -> Option<Duration> {
        MINUTE.checked_sub(now.duration_since(self.since)).filter(|left| !left.is_zero())
    }
}

fn make_room(counts: &mut HashMap<IpAddr, Count>, now: Instant) {
    counts.retain(|_, count| count.left(now).is_some());
    if counts.len() >= MOST
        && let Some(oldest) = counts.iter().min_by_key(|(_, count)| count.since).map(|(address, _)| *address)
    {
        counts.remove(&oldest);
    }
}

/// One who has an IPv6 address has 2^64 of them.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        v4 => v4,
    }
}

fn refusal(left: Duration) -> Box<Answer> {
    let text = "too many wrong API keys came from this address; no key is looked at for a while";
    Answer::new(Code::ResourceExhausted, "TOO_MANY_GUESSES", text).outcome(Outcome::NotSent).retry_after(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_after_its_last_guess_and_no_other() {
        let guesses = Guesses::default();
        let [evil, good]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        for _ in 0..10 {
            assert!(guesses.check(evil, 10).is_ok());
            guesses.count(evil);
        }
        assert_eq!(guesses.check(evil, 10).unwrap_err().code(), Code::ResourceExhausted);
        assert!(guesses.check(evil, 0).is_ok() && guesses.check(good, 10).is_ok());
    }

    #[test]
    fn a_network_counts_as_one_and_an_old_minute_is_forgotten() {
        let guesses = Guesses::default();
        let [one, other, far]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        guesses.count(one);
        assert!(guesses.check(other, 1).is_err() && guesses.check(far, 1).is_ok());
        guesses.lock().values_mut().for_each(|count| count.since -= MINUTE);
        assert!(guesses.check(other, 1).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let guesses = Guesses::default();
        for number in 0..u32::try_from(MOST).unwrap() + 100 {
            guesses.count(IpAddr::V4(number.into()));
        }
        assert_eq!(guesses.lock().len(), MOST);
    }
}
