//! Plays the fixtures of `ispbridge.freeside.v1`.

use ispbridge_freeside::{DESCRIPTORS, Freeside};
use playback::Setup;

#[test]
fn fixtures() {
    playback::run::<Freeside>(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"), DESCRIPTORS, config);
}

fn config(setup: &Setup) -> String {
    format!(
        "[accounts.main]\nbase_url = \"{}/selfservice/xmlrpc.cgi\"\nusername = \"reseller\"\npassword = {}\ntransport = {{ allow_private = true }}\n",
        setup.url(),
        setup.secret("password", "s33kret"),
    )
}
