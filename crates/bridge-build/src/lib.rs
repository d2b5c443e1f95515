//! Compiles a provider's contract, called from its `build.rs`.
//!
//! No `protoc`: protox compiles the protos in Rust. Out come the prost messages and tonic services, and
//! a descriptor set that keeps custom options and comments, from which the mapping tables, reflection and redaction
//! are made when the service starts.

mod comments;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use protox::Compiler;

/// Compiles every proto of `ispbridge/<provider>/v1` under the workspace's `proto/` folder.
///
/// `provider` is the package's word, for example `internet_solutions`. The provider's `lib.rs` includes
/// `OUT_DIR/contract.rs`: the module `contract` and the constant `CONTRACT`.
///
/// # Errors
/// What protox says about a proto, or that a file cannot be read or written.
///
/// # Panics
/// If it is not called from a `build.rs` two folders below the workspace.
pub fn compile(provider: &str) -> Result<(), Box<dyn Error>> {
    let workspace = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let protos = workspace.join("proto");
    // Not the whole folder: an edit of one provider's contract is no reason to build the others anew.
    for folder in [&*format!("ispbridge/{provider}"), "ispbridge/type", "third_party"] {
        println!("cargo:rerun-if-changed={}", protos.join(folder).display());
    }
    let mut compiler = Compiler::new([protos.clone(), protos.join("third_party")])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(contract_files(&protos, provider)?)?;
    generate(&compiler, provider)?;
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    lift_limit(&out.join(format!("ispbridge.{provider}.v1.rs")))?;
    let descriptors = comments::only_comments(&compiler.encode_file_descriptor_set())?;
    fs::write(out.join("descriptors.bin"), descriptors)?;
    fs::write(out.join("contract.rs"), contract(provider))?;
    Ok(())
}

/// What a provider's crate includes. Its lints are not for code that nobody writes.
fn contract(package: &str) -> String {
    let provider = package.replace('_', "-");
    format!(
        r#"#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "generated from proto/, documented there"
)]
mod generated {{
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}}

/// The messages and services of `proto/ispbridge/{package}/v1`.
pub use generated::ispbridge::{package}::v1 as contract;

/// The contract with its names and descriptors.
pub const CONTRACT: ::provider::Contract = ::provider::Contract {{
    provider: "{provider}",
    program: "ispbridge-{provider}",
    package: "ispbridge.{package}.v1",
    domain: "{provider}.ispbridge",
    descriptors: include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin")),
}};
"#
    )
}

fn contract_files(protos: &Path, provider: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let folder = protos.join("ispbridge").join(provider).join("v1");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

fn generate(compiler: &Compiler, provider: &str) -> Result<(), Box<dyn Error>> {
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    // Secrets and large records must not be printed by accident; telemetry redacts by descriptor instead.
    config.skip_debug([format!(".ispbridge.{provider}.v1")]);
    config.disable_comments(["."]);
    config.include_file("messages.rs");
    tonic_prost_build::configure()
        .build_client(false)
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(())
}

/// Takes away the 4 MiB that tonic allows a message of a request unless each server says otherwise: the limit is
/// `server.max_request_bytes`, which the chassis holds before a message comes here.
fn lift_limit(generated: &Path) -> Result<(), Box<dyn Error>> {
    const USUAL: &str = "max_decoding_message_size: None,";
    let text = fs::read_to_string(generated)?;
    if !text.contains(USUAL) {
        return Err(format!("{} has no server whose limit could be lifted", generated.display()).into());
    }
    fs::write(generated, text.replace(USUAL, "max_decoding_message_size: Some(usize::MAX),"))?;
    Ok(())
}
