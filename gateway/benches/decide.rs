//! What it costs to know who calls and whether they may, by the number of principals: `cargo bench -p ispbridge-gateway`.

use std::fmt::Write;

use divan::{Bencher, black_box};
use ispbridge_gateway::{Config, Decider, KeyHash};

fn main() {
    divan::main();
}

/// So many principals with a key and three grants each, in a hundred groups.
fn config(principals: usize) -> Config {
    let mut text = String::from("signing = { id = \"k1\", secret = { env = \"PATH\" } }\n");
    for route in ["aex", "azotel"] {
        let _ = write!(text, "[[routes]]\nprovider = \"{route}\"\ninstances = [\"http://127.0.0.1:1\"]\n");
    }
    for group in 0..100 {
        let members: Vec<_> = (group..principals).step_by(100).map(|number| format!("\"p{number}\"")).collect();
        let members = members.join(", ");
        let _ = write!(text, "[[groups]]\nname = \"g{group}\"\nprincipals = [{members}]\n");
        let _ =
            write!(text, "[[grants]]\ngroups = [\"g{group}\"]\nmethods = [\"reads\"]\naccounts = [\"aex/a{group}\"]\n");
    }
    for number in 0..principals {
        let key = KeyHash::of(&format!("key-{number}"));
        let _ = write!(text, "[[principals]]\nname = \"p{number}\"\napi_keys = [\"{key}\"]\n");
        for method in ["ispbridge.azotel.v1.*", "ispbridge.aex.v1.CustomerService/GetCustomer"] {
            let _ = write!(text, "[[grants]]\nprincipals = [\"p{number}\"]\nmethods = [\"{method}\"]\n");
            let _ = writeln!(text, "accounts = [\"aex/main\", \"azotel/main\"]");
        }
    }
    toml::from_str(&text).expect("a configuration")
}

#[divan::bench(args = [10, 100, 10_000])]
fn key_and_grant(bencher: Bencher<'_, '_>, principals: usize) {
    let decider = Decider::new(&config(principals)).expect("a gateway");
    let path = "/ispbridge.aex.v1.CustomerService/GetCustomer";
    let right = format!("key-{}", principals / 2);
    assert!(decider.decide(&right, path, "aex", "main") && !decider.decide("key", path, "aex", "main"));
    bencher.bench_local(|| decider.decide(black_box(&right), black_box(path), "aex", "main"));
}
