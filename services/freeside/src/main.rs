//! The process `ispbridge-freeside`.

fn main() -> std::process::ExitCode {
    chassis::main::<ispbridge_freeside::Freeside>()
}
