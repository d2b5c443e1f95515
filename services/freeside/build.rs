//! Compiles the contract of `ispbridge.freeside.v1`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    bridge_build::compile("freeside")
}
