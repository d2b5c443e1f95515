//! The process `ispbridge-demo`.

fn main() -> std::process::ExitCode {
    provider::main::<ispbridge_demo::Demo>()
}
