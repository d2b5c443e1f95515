//! How many connections each address has.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use config::counted_address;

/// Open connections by address; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    /// Counts one more connection of an address, unless it has `most`.
    pub(super) fn join(&self, address: IpAddr, most: usize) -> Option<Member> {
        let address = counted_address(address);
        let mut counts = self.counts();
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Member { crowd: self.clone(), address })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.crowd.counts().entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_makes_room_for_one_of_the_same_address() {
        let crowd = Crowd::default();
        let [one, same, other] =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|text| text.parse::<IpAddr>().unwrap());
        let first = crowd.join(one, 1).unwrap();
        assert!(crowd.join(same, 1).is_none());
        let _other = crowd.join(other, 1).unwrap();
        drop(first);
        assert!(crowd.join(same, 1).is_some());
        assert_eq!(crowd.counts().len(), 1, "who has none is forgotten");
    }
}
