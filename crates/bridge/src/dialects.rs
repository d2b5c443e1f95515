//! The dialects of one account, each with its own mapping tables.

use std::sync::Arc;

use crate::{
    fault::{Fault, Kind, Outcome},
    table::Tables,
};

/// One of an account's dialects: its place among [`Dialects`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DialectId(pub usize);

/// The mapping tables of the dialects that an account speaks. Most accounts speak one; one that has two APIs behind it speaks
/// the dialect that [`crate::Provider::dialect`] names for each operation.
#[derive(Clone)]
pub struct Dialects(Vec<Arc<Tables>>);

impl Dialects {
    /// The tables in the order of their [`DialectId`]s.
    pub fn new(tables: impl IntoIterator<Item = Arc<Tables>>) -> Self {
        Self(tables.into_iter().collect())
    }

    pub(crate) fn get(&self, id: DialectId) -> Result<&Tables, Fault> {
        self.0.get(id.0).map(Arc::as_ref).ok_or_else(|| {
            let message = format!("the operation is of dialect {}, and the account has {}", id.0, self.0.len());
            Fault::new(Kind::Unimplemented, Outcome::NotSent, "DIALECT", message)
        })
    }
}

/// One dialect for all operations.
impl From<Arc<Tables>> for Dialects {
    fn from(tables: Arc<Tables>) -> Self {
        Self(vec![tables])
    }
}
