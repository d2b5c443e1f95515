//! An authenticated caller, whatever its credential.

use std::sync::Arc;

use crate::{limits::Quota, policy::Grants};

/// An authenticated caller.
#[derive(Debug)]
pub(crate) struct Principal {
    /// Its name in logs and in the caller context: that of the configuration, or `issuer:subject`.
    pub(crate) name: Arc<str>,
    /// What it may do.
    pub(crate) grants: Grants,
    /// Its quota, shared by all of its credentials.
    pub(crate) quota: Arc<Quota>,
}
