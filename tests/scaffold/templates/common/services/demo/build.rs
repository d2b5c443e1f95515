//! Compiles the contract of `ispbridge.demo.v1`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    bridge_build::compile("demo")
}
