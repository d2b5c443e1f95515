//! The whole contract by reflection in languages that build descriptors with libraries of their own.

use std::{collections::BTreeMap, fs, process::Command};

use ispbridge::suite::{Options, Suite};
use ispbridge_parts::PYTHON_GRPC;

use crate::{
    caller::POOLS,
    script::{node, path, run},
    stubs::folder,
    tree::files,
};

/// How many services, methods, messages and comments of messages a client has to find.
fn whole() -> String {
    let all = POOLS.iter().flat_map(|(_, pool)| pool.files());
    let own = all.filter(|file| file.package_name().starts_with("ispbridge."));
    let own: BTreeMap<_, _> = own.map(|file| (file.name().to_owned(), file)).collect();
    let services: Vec<_> = own.values().flat_map(|file| file.services().collect::<Vec<_>>()).collect();
    let methods: usize = services.iter().map(|service| service.methods().len()).sum();
    let messages: usize = own.values().map(|file| file.messages().len()).sum();
    format!("{} {methods} {messages} {messages}", services.len())
}

/// Runs a program that takes the address and a key.
async fn finds_the_whole(program: impl FnOnce(&str, &str) -> Command) {
    let suite = Suite::start(Options::default()).await.unwrap();
    let found = run(program(&suite.address().to_string(), suite.key())).await;
    // Maven puts the terminal's colours back before the line.
    assert!(found.lines().any(|line| line.ends_with(&whole())), "{found} is not {}", whole());
    suite.stop().await;
}

#[tokio::test]
async fn python_finds_the_whole_contract() {
    let Some(mut script) = PYTHON_GRPC.command() else { return };
    script.arg(path("python/reflection.py"));
    finds_the_whole(|address, key| {
        script.args([address, key]);
        script
    })
    .await;
}

#[tokio::test]
async fn node_finds_the_whole_contract() {
    let Some(mut script) = node() else { return };
    script.arg(path("node/reflection.mjs"));
    finds_the_whole(|address, key| {
        script.args([address, key]);
        script
    })
    .await;
}

#[tokio::test]
async fn java_finds_the_whole_contract() {
    let Some(folder) = folder("java-reflection") else { return };
    let project = path("java");
    for file in files(&project) {
        let copy = folder.join(&file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(project.join(file), copy).unwrap();
    }
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "compile", "exec:java", "-Dexec.mainClass=Reflection"]).current_dir(folder);
    finds_the_whole(|address, key| {
        maven.arg(format!("-Dexec.args={address} {key}"));
        maven
    })
    .await;
}
