//! The API keys for operators: principal and last use, never the key.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::Serialize;

use super::to_the_second;
use crate::{
    config::key_entry::Expiry,
    identity::{Identity, access::KeyOrigin},
};

/// Keys that are shown, the most recently used first.
const SHOWN: usize = 200;

/// How many keys there are, and some of them.
#[derive(Debug, Serialize)]
pub(crate) struct KeyList {
    count: usize,
    shown: Vec<KeyUse>,
}

/// One key.
#[derive(Debug, Serialize)]
struct KeyUse {
    /// The beginning of its hash, as `keys list` shows it.
    id: String,
    principal: String,
    /// RFC 3339, if it was ever used.
    last_used: Option<String>,
    /// RFC 3339, if it ends.
    expires: Option<Expiry>,
    is_expired: bool,
    from: KeyOrigin,
}

impl KeyList {
    /// Lists the current keys.
    pub(crate) fn of(identity: &Identity) -> Self {
        identity.last_uses().look(Timestamp::now());
        let callers = identity.callers();
        let mut keys: Vec<_> = callers.keys().map(|key| (key, key.last_used.last())).collect();
        keys.sort_by_cached_key(|(key, last)| (Reverse(*last), key.principal.name.clone(), key.hash.id()));
        let count = keys.len();
        let shown = keys.into_iter().take(SHOWN).map(|(key, last)| KeyUse {
            id: key.hash.id(),
            principal: key.principal.name.as_ref().to_owned(),
            last_used: last.map(to_the_second),
            expires: key.expires(),
            is_expired: !key.is_good(),
            from: key.from(),
        });
        Self { count, shown: shown.collect() }
    }
}
