//! The suite from outside: gateway, services and stand-in upstreams over real sockets, and the house rules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "main/add_operation.rs"]
mod add_operation;
#[path = "main/azotel_transports.rs"]
mod azotel_transports;
#[path = "main/breaker.rs"]
mod breaker;
#[path = "main/caller.rs"]
mod caller;
#[path = "main/canary.rs"]
mod canary;
#[path = "main/cancelling.rs"]
mod cancelling;
#[path = "main/certificates.rs"]
mod certificates;
#[path = "main/child.rs"]
mod child;
#[path = "main/clocks.rs"]
mod clocks;
#[path = "main/collectors.rs"]
mod collectors;
#[path = "main/configuration.rs"]
mod configuration;
#[path = "main/contract.rs"]
mod contract;
#[path = "main/deadlines.rs"]
mod deadlines;
#[path = "main/encodings.rs"]
mod encodings;
#[path = "main/farewell.rs"]
mod farewell;
#[path = "main/fault_rows.rs"]
mod fault_rows;
#[path = "main/fault_sequences.rs"]
mod fault_sequences;
#[path = "main/faults.rs"]
mod faults;
#[path = "main/floors.rs"]
mod floors;
#[path = "main/generate.rs"]
mod generate;
#[path = "main/go_clients.rs"]
mod go_clients;
#[path = "main/harness.rs"]
mod harness;
#[path = "main/imports.rs"]
mod imports;
#[path = "main/injection.rs"]
mod injection;
#[path = "main/interop.rs"]
mod interop;
#[path = "main/log.rs"]
mod log;
#[path = "main/metadata_page.rs"]
mod metadata_page;
#[path = "main/mistakes.rs"]
mod mistakes;
#[path = "main/new_provider.rs"]
mod new_provider;
#[path = "main/odd_replies.rs"]
mod odd_replies;
#[path = "main/odd_shapes.rs"]
mod odd_shapes;
#[path = "main/odd_values.rs"]
mod odd_values;
#[path = "main/outcome.rs"]
mod outcome;
#[path = "main/peer.rs"]
mod peer;
#[path = "main/php_peer.rs"]
mod php_peer;
#[path = "main/placement.rs"]
mod placement;
#[path = "main/polyglot.rs"]
mod polyglot;
#[path = "main/promises.rs"]
mod promises;
#[path = "main/provider.rs"]
mod provider;
#[path = "main/real_peers.rs"]
mod real_peers;
#[path = "main/recorder.rs"]
mod recorder;
#[path = "main/reflection_clients.rs"]
mod reflection_clients;
#[path = "main/reload.rs"]
mod reload;
#[path = "main/requests.rs"]
mod requests;
#[path = "main/resting.rs"]
mod resting;
#[path = "main/script.rs"]
mod script;
#[path = "main/settings_reference.rs"]
mod settings_reference;
#[path = "main/sizes.rs"]
mod sizes;
#[path = "main/spans.rs"]
mod spans;
#[path = "main/stubs.rs"]
mod stubs;
#[path = "main/texts.rs"]
mod texts;
#[path = "main/tidy.rs"]
mod tidy;
#[path = "main/trace.rs"]
mod trace;
#[path = "main/tree.rs"]
mod tree;
#[path = "main/wires.rs"]
mod wires;
