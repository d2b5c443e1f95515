//! The process `ispbridge-aex`.

fn main() -> std::process::ExitCode {
    provider::main::<ispbridge_aex::Aex>()
}
