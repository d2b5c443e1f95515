//! Plays the fixtures of `ispbridge.aex.v1`.

use ispbridge_aex::{Aex, CONTRACT};
use playback::Setup;
use provider::Service;

#[test]
fn fixtures() {
    playback::run::<Service<Aex>>(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"), CONTRACT.descriptors, config);
}

fn config(setup: &Setup) -> String {
    format!(
        "[accounts.main]\nbase_url = {:?}\ntoken = {}\ntransport = {{ allow_private = true }}\n",
        setup.url(),
        setup.secret("token", "fixture-token"),
    )
}
