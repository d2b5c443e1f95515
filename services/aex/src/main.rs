//! The process `ispbridge-aex`.

fn main() -> std::process::ExitCode {
    chassis::main::<ispbridge_aex::Aex>()
}
