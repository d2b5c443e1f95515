//! A provider's contract: its names and descriptors, and the tables that map its messages to the upstream's words.

use std::sync::Arc;

use bridge::table::{Tables, TextRule, Vocabulary};
use config::Error;

use crate::Definition;

/// A compiled contract and all names that follow from the provider's; `bridge-build` writes it.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    /// The provider, for example `aex`.
    pub provider: &'static str,
    /// The program that serves it, `ispbridge-aex`.
    pub program: &'static str,
    /// Its protobuf package, `ispbridge.aex.v1`.
    pub package: &'static str,
    /// The domain of its errors, `aex.ispbridge`.
    pub domain: &'static str,
    /// The encoded `FileDescriptorSet`, custom options included.
    pub descriptors: &'static [u8],
}

/// One API of an upstream that has words and a wire of its own.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Its name in the vocabulary; `None` for the one that the vocabulary does not name.
    pub name: Option<&'static str>,
    /// Which characters its wire carries.
    pub texts: TextRule,
}

impl Dialect {
    /// The only dialect of an upstream that speaks XML.
    pub const XML: Self = Self { name: None, texts: TextRule::Xml };
    /// The only dialect of an upstream whose wire carries any character, such as JSON and forms.
    pub const ANY: Self = Self { name: None, texts: TextRule::Any };
}

/// The mapping tables of every dialect of a provider.
pub struct Dialects(Vec<(Option<&'static str>, Arc<Tables>)>);

impl Dialects {
    /// Builds the tables of a provider.
    ///
    /// # Errors
    /// What the vocabulary says of fields that the contract does not have so.
    pub fn of<D: Definition>() -> Result<Self, Error> {
        let (contract, vocabulary) = (D::CONTRACT, Vocabulary::parse(D::VOCABULARY).map_err(Error::program)?);
        let tables = D::DIALECTS.iter().map(|dialect| {
            let tables =
                Tables::build(contract.descriptors, contract.package, &vocabulary, dialect.name, dialect.texts);
            Ok((dialect.name, Arc::new(tables.map_err(Error::program)?)))
        });
        tables.collect::<Result<_, Error>>().map(Self)
    }

    /// The tables of one dialect.
    ///
    /// # Errors
    /// The provider has no dialect of this name.
    pub fn tables(&self, dialect: Option<&str>) -> Result<Arc<Tables>, Error> {
        let found = self.0.iter().find(|(name, _)| *name == dialect);
        let unknown = || Error::program(format!("there is no dialect {}", dialect.unwrap_or("without a name")));
        found.map(|(_, tables)| tables.clone()).ok_or_else(unknown)
    }
}
