//! One permission: these methods with these accounts.

use std::{fmt, sync::Arc};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::config::pattern::{AccountPattern, MethodPattern};

/// One permission, as decisions use it.
#[derive(Debug, Default)]
pub(crate) struct Grant {
    /// Where it is written.
    pub(crate) source: GrantSource,
    /// Methods it covers; any of them.
    pub(crate) methods: Vec<MethodPattern>,
    /// Whether it covers every account of every provider.
    everywhere: bool,
    accounts: FxHashMap<Box<str>, Aliases>,
}

/// Where a grant is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GrantSource {
    /// Nowhere: it was made by a test.
    #[default]
    Nowhere,
    /// `grants[n]` of the configuration.
    Config(usize),
    /// `keys[n]` of the file of keys.
    KeyFile(usize),
}

/// Accounts of one provider.
#[derive(Debug, Default)]
struct Aliases {
    every: bool,
    named: FxHashSet<Arc<str>>,
}

/// What a grant covers of one provider.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Only<'a> {
    /// Every account.
    Any,
    /// Some accounts.
    Several,
    /// This one.
    One(&'a Arc<str>),
}

impl Grant {
    /// Prepares a grant for decisions.
    pub(crate) fn new(source: GrantSource, methods: &[MethodPattern], accounts: &[AccountPattern]) -> Self {
        let mut grant = Self { source, methods: methods.to_vec(), ..Self::default() };
        for pattern in accounts {
            match pattern {
                AccountPattern::All => grant.everywhere = true,
                AccountPattern::Provider(provider) => grant.of(provider).every = true,
                AccountPattern::One { provider, alias } => {
                    grant.of(provider).named.insert(alias.as_str().into());
                }
            }
        }
        grant
    }

    fn of(&mut self, provider: &str) -> &mut Aliases {
        self.accounts.entry(provider.into()).or_default()
    }

    /// Whether it covers any account of a provider.
    pub(crate) fn reaches(&self, provider: &str) -> bool {
        self.everywhere || self.accounts.contains_key(provider)
    }

    /// The account of this alias, if the grant covers it.
    pub(crate) fn account(&self, provider: &str, alias: &str) -> Option<Arc<str>> {
        let aliases = self.accounts.get(provider);
        let named = aliases.and_then(|aliases| aliases.named.get(alias));
        let every = || (self.everywhere || aliases.is_some_and(|aliases| aliases.every)).then(|| alias.into());
        named.cloned().or_else(every)
    }

    /// Which accounts of a provider that it reaches.
    pub(crate) fn only(&self, provider: &str) -> Only<'_> {
        match self.accounts.get(provider) {
            Some(aliases) if !aliases.every && !self.everywhere => {
                let mut named = aliases.named.iter();
                match (named.next(), named.next()) {
                    (Some(alias), None) => Only::One(alias),
                    _ => Only::Several,
                }
            }
            _ => Only::Any,
        }
    }
}

impl fmt::Display for GrantSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("nothing that is written"),
            Self::Config(index) => write!(f, "grants[{index}]"),
            Self::KeyFile(index) => write!(f, "keys[{index}] of the file of keys"),
        }
    }
}
