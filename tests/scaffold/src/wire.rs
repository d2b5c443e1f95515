//! The wires that a skeleton can have.

/// What the upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Rest,
    Form,
    XmlRpc,
    Soap,
}

impl Wire {
    const ALL: [Self; 4] = [Self::Rest, Self::Form, Self::XmlRpc, Self::Soap];

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|wire| wire.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no wire; there are {}", Self::ALL.map(Self::as_str).join(", ")))
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Form => "form",
            Self::XmlRpc => "xml-rpc",
            Self::Soap => "soap",
        }
    }

    /// How people call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Rest => "REST",
            Self::Form => "url-encoded forms",
            Self::XmlRpc => "XML-RPC",
            Self::Soap => "SOAP 1.1",
        }
    }

    /// The variant of `Codec` in the suite's table of wires.
    pub(crate) fn codec(self) -> &'static str {
        match self {
            Self::Rest => "Rest",
            Self::Form => "Form",
            Self::XmlRpc => "XmlRpc",
            Self::Soap => "Soap",
        }
    }

    /// A constant of `provider::Dialect`: which characters the wire carries.
    fn dialect(self) -> &'static str {
        match self {
            Self::Rest | Self::Form => "ANY",
            Self::XmlRpc | Self::Soap => "XML",
        }
    }

    /// The upstream calls that read and add a customer.
    pub(crate) fn operations(self) -> [&'static str; 2] {
        match self {
            Self::Rest => ["GET /customers/{id}", "POST /customers"],
            Self::Form => ["get_customer", "add_customer"],
            Self::XmlRpc | Self::Soap => ["getCustomer", "addCustomer"],
        }
    }

    /// The path in an account's address.
    fn path(self) -> &'static str {
        match self {
            Self::Rest => "",
            Self::Form => "/api",
            Self::XmlRpc => "/xmlrpc",
            Self::Soap => "/soap",
        }
    }

    /// Puts the wire's words in the places of a template that are named for them.
    pub(crate) fn fill(self, template: &str) -> String {
        let [read, write] = self.operations();
        let words = [
            ("WIRE_TITLE", self.title()),
            ("WIRE_DIALECT", self.dialect()),
            ("WIRE_READ", read),
            ("WIRE_WRITE", write),
            ("WIRE_PATH", self.path()),
        ];
        words.iter().fold(template.to_owned(), |text, (place, word)| text.replace(place, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_is_one_of_four() {
        assert!(Wire::ALL.into_iter().all(|wire| Wire::parse(wire.as_str()) == Ok(wire)));
        for text in ["", "REST", "xmlrpc", "grpc"] {
            assert!(Wire::parse(text).unwrap_err().contains("rest, form, xml-rpc, soap"), "{text}");
        }
    }
}
