//! What the two sides of the house say to each other: serving and the providers' engine within a process, gateway and service
//! across the network. Neither side knows the other; both know this.

pub mod answer;
pub mod call;
pub mod caller;
pub mod deadline;
pub mod dependency;
pub mod domain;
pub mod grpc;
pub mod headers;
pub mod method;
pub mod methods;
pub mod names;
pub mod outcome;
pub mod provider;
pub mod reason;
pub mod redact;
pub mod refusal;
pub mod status;
pub mod timing;
pub mod told;

pub use call::CallContext;
pub use outcome::Outcome;
pub use reason::Reason;
pub use status::StatusBuilder;

/// The body of every request and reply that passes the layers; the generated tonic servers take it as it is.
pub type Body = axum::body::Body;
