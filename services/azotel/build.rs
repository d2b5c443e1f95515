//! Compiles the contract of `ispbridge.azotel.v1`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    bridge_build::compile("azotel")
}
