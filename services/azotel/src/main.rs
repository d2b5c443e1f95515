//! The process `ispbridge-azotel`.

fn main() -> std::process::ExitCode {
    chassis::main::<ispbridge_azotel::Azotel>()
}
