//! A caller that is known, whatever it was known by.

use std::sync::Arc;

use crate::{limits::Quota, policy::Grants};

/// A caller that is known.
#[derive(Debug)]
pub(crate) struct Principal {
    /// Its name in logs and in the caller context: that of the configuration, or `issuer:subject`.
    pub(crate) name: Arc<str>,
    /// What it may do.
    pub(crate) grants: Grants,
    /// How much it takes, and may, by whatever credential.
    pub(crate) quota: Arc<Quota>,
}
