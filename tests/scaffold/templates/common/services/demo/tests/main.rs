//! Plays the fixtures of `ispbridge.demo.v1`.

use ispbridge_demo::{CONTRACT, Demo};
use playback::Setup;
use provider::Service;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

#[test]
fn fixtures() {
    playback::run::<Service<Demo>>(FIXTURES, CONTRACT.descriptors, config);
}

fn config(setup: &Setup) -> String {
    format!(
        "[accounts.main]\nbase_url = \"{}WIRE_PATH\"\ntoken = {}\ntransport = {{ allow_private = true }}\n",
        setup.url(),
        setup.secret("token", "fixture-token"),
    )
}
