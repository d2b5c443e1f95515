//! What a fault of SOAP or XML-RPC says about the effect of the call it answers.

use crate::fault::{Fault, Kind, Outcome};

/// The one of these texts that misses the method itself.
const NO_METHOD: &str = "Failed to locate method (";

/// How the texts begin that Perl's servers answer before a method runs: SOAP::Lite's `SOAP::Server::handle` and
/// `find_target`, and `SOAP::Transport::HTTP::Server`, the same in their sources from 0.55 to 1.27; XMLRPC::Lite (0.717)
/// shares them.
const BEFORE_DISPATCH: [&str; 9] = [
    NO_METHOD,
    "Application failed during request deserialization: ",
    "Can't find method element in the message",
    "Can't find root element in the message",
    "Content-Type must be 'text/xml",
    "Denied access to method (",
    "Failed to access class (",
    "SOAPAction shall match 'uri#method'",
    "URI path shall map to class",
];

/// A fault of SOAP or XML-RPC, trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolFault<'t> {
    /// Its code without a prefix: `Server`, `Client.Authentication`, in XML-RPC a word or a number.
    pub code: &'t str,
    /// Its text.
    pub text: &'t str,
    /// What else it says, if the text is empty.
    pub detail: &'t str,
}

impl ProtocolFault<'_> {
    /// The words to show.
    #[must_use]
    pub fn words(&self) -> &str {
        if self.text.is_empty() { self.detail } else { self.text }
    }
}

/// A code counts up to its first dot (SOAP 1.1, 4.4.1). `Client`, which SOAP 1.2 calls `Sender`, does not show that nothing
/// happened: Perl's servers give it to whatever dies outside of the method, also while they write the reply after the
/// method has done its work. It is a refusal only with a text that comes before the method, or with a refinement, which no
/// library adds by itself.
impl From<ProtocolFault<'_>> for Fault {
    fn from(said: ProtocolFault<'_>) -> Self {
        let (general, refinement) = said.code.split_once('.').unwrap_or((said.code, ""));
        let begins = |beginning: &&str| said.text.starts_with(*beginning);
        let fault = match general {
            // For messages that must not be processed (SOAP 1.1, 4.4.1; SOAP 1.2 part 1, 5.4.6).
            "VersionMismatch" | "MustUnderstand" | "DataEncodingUnknown" => refused(said.words()),
            "Client" | "Sender" if !refinement.is_empty() => refused(said.words()),
            "Client" | "Sender" if begins(&NO_METHOD) => {
                Fault::rejected(Kind::Unimplemented, "UPSTREAM_LACKS_METHOD", said.words())
            }
            "Client" | "Sender" if BEFORE_DISPATCH.iter().any(begins) => refused(said.words()),
            _ => Fault::server(said.words()),
        };
        fault.with_upstream_code(said.code).of_function()
    }
}

fn refused(text: &str) -> Fault {
    let message = "the upstream did not accept the call";
    Fault::new(Kind::FailedPrecondition, Outcome::Rejected, "UPSTREAM_REFUSED", message).with_upstream_message(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Outcome::{Rejected, Unknown};

    fn protocol_fault(code: &str, text: &str) -> Fault {
        ProtocolFault { code, text, detail: "" }.into()
    }

    #[test]
    fn a_bare_client_is_a_refusal_only_before_the_method() {
        for text in [
            "Application failed during request deserialization: \nunclosed token at line 1, column 2",
            "Can't find root element in the message at /usr/share/perl5/SOAP/Lite.pm line 2857.",
            "Can't find method element in the message at /usr/share/perl5/SOAP/Lite.pm line 2873.",
            "Content-Type must be 'text/xml' instead of 'text/plain'",
            "Content-Type must be 'text/xml,' 'multipart/*,' 'application/soap+xml,' 'or 'application/dime' instead of 'a/b'",
            "Denied access to method (a-b)",
            "Denied access to method (thing) in class (main) at /usr/share/perl5/SOAP/Lite.pm line 2827.",
            "Failed to access class (FS::Other): Can't locate FS/Other.pm in @INC",
            "Failed to locate method (noSuch) in class (OperatorAPI) at /usr/share/perl5/SOAP/Lite.pm line 2914.",
            "SOAPAction shall match 'uri#method' if present (got 'urn:x#y', expected 'http://h/OperatorAPI#pingAPI'",
            "URI path shall map to class at /usr/share/perl5/SOAP/Lite.pm line 2778.",
        ] {
            assert_eq!(protocol_fault("Client", text).outcome(), Rejected, "{text}");
            assert_eq!(protocol_fault("Server", text).outcome(), Unknown, "a method's own death: {text}");
        }
        for text in [
            "",
            "Wide character in subroutine entry at /usr/share/perl5/SOAP/Lite.pm line 1415.",
            "Not a HASH reference for 'map' type at /usr/share/perl5/SOAP/Lite.pm line 1371.",
            "Can't find namespace for method (x:y)",
            "Bad Request",
            "nobody knows Denied access to method (x)",
            "denied access to method (x)",
        ] {
            assert_eq!(protocol_fault("Client", text).outcome(), Unknown, "{text}");
            assert_eq!(protocol_fault("Client", text).kind(), Kind::Unavailable, "{text}");
        }
    }

    #[test]
    fn a_code_counts_up_to_its_first_dot() {
        for (code, outcome) in [
            ("Client.Authentication", Rejected),
            ("Client.Data.Missing", Rejected),
            ("Client.", Unknown),
            ("Sender", Unknown),
            ("Sender.MessageTimeout", Rejected),
            ("VersionMismatch", Rejected),
            ("MustUnderstand", Rejected),
            ("MustUnderstand.Header", Rejected),
            ("DataEncodingUnknown", Rejected),
            ("Server", Unknown),
            ("Server.Client", Unknown),
            ("Receiver", Unknown),
            ("ClientSide", Unknown),
            ("4", Unknown),
            ("-32601", Unknown),
            ("", Unknown),
        ] {
            let fault = protocol_fault(code, "no");
            assert_eq!(fault.outcome(), outcome, "{code}");
            assert_eq!(fault.upstream_code().unwrap_or(""), code);
        }
    }

    #[test]
    fn a_method_that_is_not_there_is_not_implemented() {
        let fault = protocol_fault("Client", "Failed to locate method (x) in class (Y)");
        assert_eq!((fault.kind(), fault.reason()), (Kind::Unimplemented, "UPSTREAM_LACKS_METHOD"));
    }
}
