//! Which methods there are: from a contract, or from the gateway that runs.

use std::{fs, net::SocketAddr, path::Path};

use prost::Message;
use prost_types::FileDescriptorSet;
use protocol::method::Idempotency;
use protocol::method::MethodName;

use crate::{catalog::method_list::MethodList, commands::fetch};

/// The methods, and where they come from.
pub(super) enum MethodSource {
    /// They are known.
    Known {
        /// A file, or a gateway.
        source: String,
        /// The methods.
        methods: MethodList,
    },
    /// They are not, for this reason.
    Unknown(String),
}

/// What is known of a method that exists, or may exist.
pub(super) enum MethodStatus {
    /// It is there.
    Is(Idempotency),
    /// Not checked, for this reason.
    Unchecked(String),
}

impl MethodStatus {
    /// Whether it reads or writes, if that is known.
    pub(super) fn idempotency(&self) -> Option<Idempotency> {
        match self {
            Self::Is(idempotency) => Some(*idempotency),
            Self::Unchecked(_) => None,
        }
    }
}

impl MethodSource {
    /// Reads the file, or asks the gateway.
    pub(super) fn learn(file: Option<&Path>, admin: Option<SocketAddr>) -> Result<Self, String> {
        match (file, admin) {
            (Some(file), _) => Ok(Self::Known { source: file.display().to_string(), methods: read(file)? }),
            (None, Some(address)) => Ok(asked(address)),
            (None, None) => Ok(Self::Unknown(
                "the configuration names no admin port to ask; --contract FILE or --admin ADDRESS tells".to_owned(),
            )),
        }
    }

    /// Looks a method up; `Err` says that it does not exist and suggests the closest name.
    pub(super) fn check(&self, method: &MethodName<'_>, provider: &str) -> Result<MethodStatus, String> {
        let (source, methods) = match self {
            Self::Known { source, methods } => (source, methods),
            Self::Unknown(why) => return Ok(MethodStatus::Unchecked(why.clone())),
        };
        if let Some(idempotency) = methods.methods.get(method.full) {
            return Ok(MethodStatus::Is(*idempotency));
        }
        if methods.undescribed.iter().any(|name| name == provider) {
            return Ok(MethodStatus::Unchecked(format!("{source} has not seen a service of {provider} yet")));
        }
        let distance = |name: &&String| strsim::damerau_levenshtein(name, method.full);
        let nearest = methods.methods.keys().min_by_key(distance);
        let nearest = nearest.map_or_else(String::new, |name| format!("; the nearest is {name}"));
        Err(format!("{source} has no method {}{nearest}", method.full))
    }
}

/// The methods of a `FileDescriptorSet`.
fn read(file: &Path) -> Result<MethodList, String> {
    let bytes = fs::read(file);
    let file = file.display();
    let bytes = bytes.map_err(|error| format!("{file}: {error}"))?;
    let set = FileDescriptorSet::decode(bytes.as_slice()).map_err(|_| format!("{file} is no FileDescriptorSet"))?;
    let services = set.file.iter().flat_map(|file| file.service.iter().map(move |service| (file.package(), service)));
    let methods = services.flat_map(|(package, service)| {
        let name = move |method: &str| format!("{package}.{}/{method}", service.name());
        service.method.iter().map(move |method| (name(method.name()), Idempotency::of(method)))
    });
    Ok(MethodList { methods: methods.collect(), undescribed: Vec::new() })
}

/// The methods of a gateway that runs, if it does.
fn asked(address: SocketAddr) -> MethodSource {
    let unknown = |why: String| {
        MethodSource::Unknown(format!("no gateway told it ({why}); --contract FILE or --admin ADDRESS tells"))
    };
    match fetch::get(&format!("http://{address}/methods"), &fetch::FetchOptions::admin()) {
        Err(why) => unknown(why),
        Ok((status, text)) => match serde_json::from_str(&text) {
            Ok(methods) => MethodSource::Known { source: format!("the gateway at {address}"), methods },
            Err(_) => unknown(format!("{address} answers with HTTP {status} and names no methods")),
        },
    }
}
