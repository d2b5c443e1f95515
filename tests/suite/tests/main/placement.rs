//! Where the declarations of the contract stand, and what its files say to the generators of other languages
//! (proto/README.md).

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FileDescriptor, MessageDescriptor};
use prost_types::FileOptions;

use crate::{
    caller::POOLS,
    tree::{ROOT, files, snake},
};

/// Our own files by name.
fn own() -> BTreeMap<String, FileDescriptor> {
    let all = POOLS.iter().flat_map(|(_, pool)| pool.files());
    all.filter(|file| file.package_name().starts_with("ispbridge."))
        .map(|file| (file.name().to_owned(), file))
        .collect()
}

fn folder_and_stem(file: &FileDescriptor) -> (&str, &str) {
    file.name().strip_suffix(".proto").unwrap().rsplit_once('/').unwrap()
}

#[test]
fn every_file_of_the_contract_is_compiled() {
    let found = files(&ROOT.join("proto/ispbridge")).into_iter().map(|path| format!("ispbridge/{}", path.display()));
    // What no provider uses yet is in nobody's descriptors.
    let found: Vec<_> = found.filter(|name| !name.starts_with("ispbridge/type/")).collect();
    let compiled: Vec<_> = own().into_keys().filter(|name| !name.starts_with("ispbridge/type/")).collect();
    assert_eq!(found, compiled);
}

#[test]
fn a_service_has_a_file_with_its_requests_and_replies() {
    for (name, file) in own() {
        let services: Vec<_> = file.services().collect();
        assert!(services.len() <= 1, "{name} declares {} services", services.len());
        for service in services {
            assert_eq!(folder_and_stem(&file).1, snake(service.name()), "{name}");
            for method in service.methods() {
                for message in [method.input(), method.output()] {
                    let stands = message.parent_file().name().to_owned();
                    assert_eq!(stands, name, "{} of {}", message.name(), method.full_name());
                }
            }
        }
    }
}

#[test]
fn what_several_files_use_has_a_file_named_after_it() {
    for (name, file) in own() {
        let imported = file.dependencies().find(|imported| imported.services().len() > 0);
        assert!(imported.is_none(), "{name} imports the file of a service: {}", imported.unwrap().name());
        if file.services().len() == 0 && file.extensions().len() == 0 {
            let messages = file.messages().map(|message: MessageDescriptor| snake(message.name()));
            let enums = file.enums().map(|one: EnumDescriptor| snake(one.name()));
            let stem = folder_and_stem(&file).1;
            assert!(messages.chain(enums).any(|declared| declared == stem), "{name} declares no {stem}");
        }
    }
}

/// `ispbridge.some_isp.v1` as `["Ispbridge", "SomeIsp", "V1"]`.
fn pascal(package: &str) -> Vec<String> {
    package.split('.').map(|segment| segment.split('_').map(capitalized).collect()).collect()
}

fn capitalized(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

/// What every file of a package says, by the rule of proto/README.md.
fn options(file: &FileDescriptor) -> FileOptions {
    let (package, (folder, stem)) = (file.package_name(), folder_and_stem(file));
    let pascal = pascal(package);
    let segments: Vec<_> = package.split('.').map(|segment| segment.replace('_', "")).collect();
    let text = |text: String| Some(text);
    FileOptions {
        csharp_namespace: text(pascal.join(".")),
        go_package: text(format!("github.com/ispbridge/ispbridge/gen/go/{folder};{}{}", segments[1], segments[2])),
        java_multiple_files: Some(true),
        java_outer_classname: text(stem.split('_').map(capitalized).collect::<String>() + "Proto"),
        java_package: text(format!("io.github.{package}")),
        objc_class_prefix: text(format!("ISP{}", segments[1].to_uppercase())),
        php_metadata_namespace: text(pascal.join("\\") + "\\GPBMetadata"),
        php_namespace: text(pascal.join("\\")),
        ruby_package: text(pascal.join("::")),
        ..FileOptions::default()
    }
}

#[test]
fn every_file_names_its_package_in_other_languages() {
    for (name, file) in own() {
        assert_eq!(file.file_descriptor_proto().options, Some(options(&file)), "{name}");
    }
}
