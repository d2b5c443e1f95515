//! The process `ispbridge-azotel`.

fn main() -> std::process::ExitCode {
    provider::main::<ispbridge_azotel::Azotel>()
}
