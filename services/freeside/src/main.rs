//! The process `ispbridge-freeside`.

fn main() -> std::process::ExitCode {
    provider::main::<ispbridge_freeside::Freeside>()
}
