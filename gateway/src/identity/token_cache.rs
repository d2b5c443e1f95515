//! A cache of verified tokens, by their hash, until they expire.

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use crate::{identity::issuer::KeyHistory, principal::Principal};

/// Shards with a lock each.
const SHARDS: usize = 16;
/// Tokens per shard; a further one evicts another.
const PER_SHARD: usize = 1024;

/// Tokens that were verified. A token gets here only with a right signature, so strangers cannot fill it.
#[derive(Debug, Default)]
pub(crate) struct TokenCache([RwLock<FxHashMap<[u8; 32], CachedToken>>; SHARDS]);

/// A verified token.
#[derive(Debug, Clone)]
pub(crate) struct CachedToken {
    /// Whose it is.
    pub(crate) principal: Arc<Principal>,
    /// Seconds since 1970 in which it is good, with the leeway of its issuer.
    pub(crate) good: std::ops::RangeInclusive<u64>,
    /// The keys that it was verified with, and how often they had changed by then.
    pub(crate) key_history: Arc<KeyHistory>,
    /// As it was when the token was verified.
    pub(crate) generation: u64,
}

impl CachedToken {
    fn is_good(&self, now: u64) -> bool {
        self.good.contains(&now) && self.key_history.generation() == self.generation
    }
}

impl TokenCache {
    /// The principal of a token that was verified and is good now.
    pub(crate) fn find(&self, token: &[u8; 32], now: u64) -> Option<Arc<Principal>> {
        let shard = self.shard(token).read().unwrap_or_else(PoisonError::into_inner);
        let cached = shard.get(token).filter(|cached| cached.is_good(now))?;
        Some(Arc::clone(&cached.principal))
    }

    /// Remembers a token.
    pub(crate) fn add(&self, token: [u8; 32], cached: CachedToken, now: u64) {
        let mut shard = self.shard(&token).write().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= PER_SHARD {
            shard.retain(|_, cached| cached.is_good(now));
        }
        if shard.len() >= PER_SHARD
            && let Some(any) = shard.keys().next().copied()
        {
            shard.remove(&any);
        }
        shard.insert(token, cached);
    }

    fn shard(&self, token: &[u8; 32]) -> &RwLock<FxHashMap<[u8; 32], CachedToken>> {
        &self.0[usize::from(token[31]) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        limits::{QuotaLimits, Quotas},
        policy::Grants,
    };

    fn cached(good: std::ops::RangeInclusive<u64>) -> CachedToken {
        let name: Arc<str> = "corp:a".into();
        let limits = QuotaLimits { in_flight: 1, rate: None, burst: 1.0 };
        let quota = Quotas::default().of(&name, limits);
        let principal = Principal { name, grants: Grants::default(), quota };
        CachedToken {
            principal: principal.into(),
            good,
            key_history: KeyHistory::fixed(Vec::new()).into(),
            generation: 0,
        }
    }

    #[test]
    fn a_token_is_known_in_its_time_only() {
        let token_cache = TokenCache::default();
        token_cache.add([7; 32], cached(10..=20), 15);
        for (now, is_known) in [(9, false), (10, true), (20, true), (21, false)] {
            assert_eq!(token_cache.find(&[7; 32], now).is_some(), is_known, "{now}");
        }
        assert!(token_cache.find(&[8; 32], 15).is_none());
    }

    #[test]
    fn a_change_of_keys_makes_it_unknown() {
        let token_cache = TokenCache::default();
        let cached = cached(10..=20);
        token_cache.add([7; 32], cached.clone(), 15);
        cached.key_history.put(Vec::new());
        assert!(token_cache.find(&[7; 32], 15).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let token_cache = TokenCache::default();
        let cached = cached(10..=20);
        for number in 0..2 * PER_SHARD as u64 {
            let mut token = [0; 32];
            token[..8].copy_from_slice(&number.to_le_bytes());
            token_cache.add(token, cached.clone(), 15);
        }
        assert_eq!(token_cache.0[0].read().unwrap().len(), PER_SHARD);
    }
}
