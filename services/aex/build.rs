//! Compiles the contract of `ispbridge.aex.v1`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    bridge_build::compile("aex")
}
