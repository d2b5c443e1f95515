//! Every method of every contract: without a credential, with that of a neighbour, and with the right one.

use std::{fs, path::Path};

use prost_types::FileDescriptorSet;
use tonic::Code;

use crate::{
    backend::Backend,
    caller::{Suite, config_with},
    payload,
};
use ispbridge_gateway::KeyHash;

/// Path and provider of every method under `proto/ispbridge`.
fn methods() -> Vec<(String, String)> {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let mut files = Vec::new();
    for provider in fs::read_dir(protos.join("ispbridge")).unwrap() {
        let version = provider.unwrap().path().join("v1");
        files.extend(fs::read_dir(version).unwrap().map(|file| file.unwrap().path()));
    }
    let set: FileDescriptorSet = protox::compile(files, [protos.clone(), protos.join("third_party")]).unwrap();
    let services = set.file.iter().flat_map(|file| file.service.iter().map(move |service| (file.package(), service)));
    services
        .flat_map(|(package, service)| {
            let provider = package.split('.').nth(1).unwrap().replace('_', "-");
            let path = format!("/{package}.{}", service.name());
            service.method.iter().map(move |method| (format!("{path}/{}", method.name()), provider.clone()))
        })
        .collect()
}

/// One principal for each provider, with all of that provider's main account.
fn policy(providers: &[String], address: std::net::SocketAddr) -> String {
    let mut text = String::new();
    for provider in providers {
        let (package, key) = (provider.replace('-', "_"), KeyHash::of(provider));
        text += &format!(
            "[[principals]]\nname = \"{provider}\"\napi_keys = [\"{key}\"]\n\
             [[routes]]\nprovider = \"{provider}\"\ninstances = [\"http://{address}\"]\n\
             [[grants]]\nprincipals = [\"{provider}\"]\nmethods = [\"ispbridge.{package}.v1.*\"]\n\
             accounts = [\"{provider}/main\"]\n"
        );
    }
    text
}

#[tokio::test]
async fn every_method_is_open_to_its_own_principal_alone() {
    let methods = methods();
    assert!(methods.len() > 100, "{}", methods.len());
    let mut providers: Vec<String> = methods.iter().map(|(_, provider)| provider.clone()).collect();
    providers.sort_unstable();
    providers.dedup();
    let backend = Backend::start().await;
    let suite = Suite::serving(config_with(backend.address, &policy(&providers, backend.address))).await;
    suite.until_learnt().await;
    for (path, provider) in methods {
        let neighbour = providers.iter().find(|other| **other != provider).unwrap();
        let cases = [
            (vec![], Code::Unauthenticated),
            (vec![("x-api-key", neighbour.as_str())], Code::PermissionDenied),
            (vec![("x-api-key", neighbour.as_str()), ("x-ispbridge-account", "main")], Code::PermissionDenied),
            (vec![("x-api-key", provider.as_str()), ("x-ispbridge-account", "other")], Code::PermissionDenied),
            (vec![("x-api-key", provider.as_str())], Code::Ok),
        ];
        for (headers, code) in cases {
            assert_eq!(suite.call(&path, &headers, payload()).await.code(), code, "{path} {headers:?}");
        }
        let arrived: Vec<_> = backend.arrivals().into_iter().map(|arrival| arrival.path).collect();
        assert_eq!(arrived, [path], "only the right call goes on");
    }
}
