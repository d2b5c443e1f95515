//! What a function answers, before it is put on either wire.

use crate::perl::Perl;
use crate::xml_simple::{self, Style};

/// `NoAttr => 1`, as the samples of listEquipment and generateIP show.
pub(crate) const ELEMENTS: Style = Style { attributes: false, folding: true };
/// `XMLout` without options, as the samples of getCustomerStatuses and searchCustomer show.
pub(crate) const ATTRIBUTES: Style = Style { attributes: true, folding: true };
/// `NoAttr => 1, KeyAttr => []`.
pub(crate) const UNFOLDED: Style = Style { attributes: false, folding: false };

/// An answer.
pub(crate) enum Told {
    /// A value that both wires carry as it is: most are words such as `OK:12`.
    Plain(Perl),
    /// A structure: XML::Simple's text over SOAP, JSON over REST.
    Record { root: String, style: Style, data: Perl },
    /// Structures that differ from one wire to the other.
    Pair { soap: Perl, rest: Perl },
}

/// What a function does: its answer, or the text of its refusal.
pub(crate) type Outcome = Result<Told, String>;

impl Told {
    pub(crate) fn word(word: impl Into<String>) -> Self {
        Self::Plain(Perl::text(word))
    }

    pub(crate) fn record(root: impl Into<String>, data: Perl) -> Self {
        Self::Record { root: root.into(), style: ELEMENTS, data }
    }

    pub(crate) fn soap(self) -> Perl {
        match self {
            Self::Plain(value) | Self::Pair { soap: value, .. } => value,
            Self::Record { root, style, data } => Perl::Text(xml_simple::write(&root, &data, style)),
        }
    }

    pub(crate) fn rest(self) -> Perl {
        match self {
            Self::Plain(value) | Self::Record { data: value, .. } | Self::Pair { rest: value, .. } => value,
        }
    }
}
