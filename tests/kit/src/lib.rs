//! What tests need of a world that means no good: each module is a room of its own, and none knows the suite.
//!
//! [`hostile`] is an upstream that does what a test tells it, with [`reply`] for what it says and [`pki`] for its
//! certificates; three lines give any provider one:
//!
//! ```no_run
//! # async fn example() {
//! use ispbridge_kit::{Act, Hostile, Reply};
//! let upstream = Hostile::script(vec![Act::Reset(Reply::new(200).with_body("{}").bytes()[..9].to_vec())]).await;
//! let base_url = format!("http://{}", upstream.address);
//! assert_eq!(upstream.requests().len(), 0);
//! # }
//! ```
//!
//! [`collector`] takes telemetry, or does not; [`http1`] and [`http2`] are clients, the latter
//! of frames made by hand; [`clock`] moves time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod clock;
pub mod collector;
pub mod hostile;
pub mod http1;
pub mod http2;
pub mod pki;
pub mod reply;

pub use collector::{Collector, Manners};
pub use hostile::{Act, Hostile};
pub use reply::Reply;
