//! Plays the fixtures of `ispbridge.azotel.v1`.

use ispbridge_azotel::{Azotel, DESCRIPTORS};
use playback::Setup;

#[test]
fn fixtures() {
    playback::run::<Azotel>(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"), DESCRIPTORS, config);
}

fn config(setup: &Setup) -> String {
    format!(
        "[accounts.main]\nbase_url = \"{}/API/operatorapi.pl\"\nuri = \"http://upstream.example/OperatorAPI\"\nusername = \"apiuser\"\npassword = {}\ntransport = {{ allow_private = true }}\n",
        setup.url(),
        setup.secret("password", "apipass"),
    )
}
