//! Plays the fixtures of `ispbridge.aex.v1`.

use ispbridge_aex::{Aex, DESCRIPTORS};
use playback::Setup;

#[test]
fn fixtures() {
    playback::run::<Aex>(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"), DESCRIPTORS, config);
}

fn config(setup: &Setup) -> String {
    format!(
        "[accounts.main]\nbase_url = {:?}\ntoken = {}\ntransport = {{ allow_private = true }}\n",
        setup.url(),
        setup.secret("token", "fixture-token"),
    )
}
