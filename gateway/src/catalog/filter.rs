//! What one caller sees: the methods that its grants reach, and the files that their services need.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use bytes::{Buf, Bytes, BytesMut};
use prost::{
    Message,
    encoding::{DecodeContext, decode_key, message, skip_field},
};
use prost_reflect::DescriptorPool;
use prost_types::{FileDescriptorProto, ServiceDescriptorProto, SourceCodeInfo};
use protocol::method::Idempotency;
use protocol::method::MethodName;
use protocol::provider;

use super::{Contract, Snapshot};
use crate::{
    catalog::discover::Description,
    policy::{AccessRequest, Grants},
};

/// Numbers of the fields `service` and `source_code_info` of a `FileDescriptorProto` (descriptor.proto).
const SERVICE: u32 = 6;
const SOURCE_CODE_INFO: u32 = 9;
/// How the path of a location in a service begins.
const SERVICE_PATH: i32 = 6;

/// Encoded files by name.
pub(super) type Files = BTreeMap<String, Bytes>;

impl Snapshot {
    /// All methods that these grants reach.
    pub(super) fn methods_for(&self, grants: &Grants) -> BTreeSet<Arc<str>> {
        self.contracts.values().flat_map(|contract| contract.methods_for(grants)).cloned().collect()
    }

    /// All services that these grants reach any method of.
    pub(super) fn services_for(&self, grants: &Grants) -> BTreeSet<String> {
        self.contracts.values().flat_map(|contract| contract.services_for(grants)).map(str::to_owned).collect()
    }

    /// The files of these services and all that they import, without any other service; of everything without a set.
    pub(super) fn files(&self, visible: Option<&BTreeSet<String>>) -> Files {
        let descriptions = self.in_order().into_values().map(|contract| contract.description());
        let shown = |one: &Description| visible.map_or_else(|| one.files.clone(), |visible| shown(one, visible));
        descriptions.flat_map(shown).collect()
    }

    /// The messages of each provider that has a method which is shown.
    pub(super) fn pools(&self, shown: impl Fn(&str) -> bool) -> impl Iterator<Item = DescriptorPool> {
        let providers = self.in_order().into_iter();
        let visible = providers.filter(move |(_, contract)| contract.methods().keys().any(|name| shown(name)));
        visible.map(|(provider, contract)| contract.pool_for_now(provider))
    }

    /// By provider, so that of files of one name the same one counts each time.
    fn in_order(&self) -> BTreeMap<&Arc<str>, &Arc<Contract>> {
        self.contracts.iter().collect()
    }
}

impl Contract {
    /// The provider's services that these grants reach any method of.
    pub(super) fn services_for<'a>(&'a self, grants: &'a Grants) -> BTreeSet<&'a str> {
        self.methods_for(grants).filter_map(|name| Some(name.split_once('/')?.0)).collect()
    }

    fn methods_for<'a>(&'a self, grants: &'a Grants) -> impl Iterator<Item = &'a Arc<str>> {
        let reached = self.methods().iter().filter(|(name, signature)| reaches(grants, name, signature.idempotency));
        reached.map(|(name, _)| name)
    }
}

fn reaches(grants: &Grants, name: &str, idempotency: Idempotency) -> bool {
    let Some(method) = MethodName::of(name) else {
        return false;
    };
    let provider = provider::of_service(method.service).unwrap_or_default();
    grants.reach(&AccessRequest { method, provider: &provider, idempotency: Some(idempotency) })
}

/// The files of visible services and all that they import, without the services that are not visible.
fn shown(description: &Description, visible: &BTreeSet<String>) -> Files {
    if !description.services.iter().any(|service| visible.contains(service)) {
        return Files::new();
    }
    let files = description.files.iter();
    let all: BTreeMap<&str, (&Bytes, FileDescriptorProto)> = files
        .filter_map(|(name, file)| Some((name.as_str(), (file, FileDescriptorProto::decode(file.as_ref()).ok()?))))
        .collect();
    let has_visible = |file: &FileDescriptorProto| {
        file.service.iter().any(|service| visible.contains(&format!("{}.{}", file.package(), service.name())))
    };
    let mut wanted: Vec<&str> = all.iter().filter(|(_, (_, file))| has_visible(file)).map(|(name, _)| *name).collect();
    let mut seen = HashSet::new();
    let mut files = Files::new();
    while let Some(name) = wanted.pop() {
        if let Some((encoded, file)) = all.get(name)
            && seen.insert(name)
        {
            wanted.extend(file.dependency.iter().map(String::as_str));
            files.insert(name.to_owned(), without_hidden(encoded, file, visible).unwrap_or_else(|| (*encoded).clone()));
        }
    }
    files
}

/// A file without its services that are not visible; all else stays byte for byte, custom options too.
fn without_hidden(encoded: &Bytes, file: &FileDescriptorProto, visible: &BTreeSet<String>) -> Option<Bytes> {
    let is_visible =
        |service: &ServiceDescriptorProto| visible.contains(&format!("{}.{}", file.package(), service.name()));
    let shown: Vec<bool> = file.service.iter().map(is_visible).collect();
    let mut services = shown.iter();
    let mut rest = encoded.clone();
    let mut memo = BytesMut::with_capacity(encoded.len());
    while rest.has_remaining() {
        let before = rest.clone();
        let (tag, wire) = decode_key(&mut rest).ok()?;
        skip_field(wire, tag, &mut rest, DecodeContext::default()).ok()?;
        match tag {
            SERVICE if !*services.next()? => {}
            SOURCE_CODE_INFO => message::encode(tag, &renumbered(file.source_code_info.clone()?, &shown), &mut memo),
            _ => memo.extend_from_slice(&before[..before.len() - rest.len()]),
        }
    }
    Some(memo.freeze())
}

/// The source info of a file whose services are shown or not: a location names its service by the place among them.
fn renumbered(mut info: SourceCodeInfo, shown: &[bool]) -> SourceCodeInfo {
    info.location.retain_mut(|location| match location.path.as_mut_slice() {
        [SERVICE_PATH, place, ..] => {
            let before = usize::try_from(*place).ok().filter(|&place| shown.get(place) == Some(&true));
            let after = before.map(|place| shown[..place].iter().filter(|&&shown| shown).count());
            *place = after.and_then(|after| i32::try_from(after).ok()).unwrap_or(*place);
            after.is_some()
        }
        _ => true,
    });
    info
}

#[cfg(test)]
mod tests {
    use prost_types::source_code_info::Location;

    use super::*;

    fn file(name: &str, services: &[&str], imports: &[&str]) -> FileDescriptorProto {
        let service = |name: &&str| ServiceDescriptorProto { name: Some((*name).to_owned()), ..Default::default() };
        FileDescriptorProto {
            name: Some(name.to_owned()),
            package: Some("ispbridge.aex.v1".to_owned()),
            service: services.iter().map(service).collect(),
            dependency: imports.iter().map(|name| (*name).to_owned()).collect(),
            syntax: Some("proto3".to_owned()),
            ..Default::default()
        }
    }

    #[test]
    fn hidden_services_and_files_that_nobody_needs_are_left_out() {
        let files = [
            file("a.proto", &["OrderService", "LineService"], &["c.proto"]),
            file("b.proto", &["LineToo"], &["d.proto"]),
            file("c.proto", &[], &[]),
            file("d.proto", &[], &[]),
        ];
        let encoded = files.iter().map(|file| (file.name().to_owned(), Bytes::from(file.encode_to_vec())));
        let services = ["LineService", "LineToo", "OrderService"].map(|name| format!("ispbridge.aex.v1.{name}"));
        let description =
            Description { files: encoded.collect(), services: services.to_vec(), ..Description::default() };
        let visible = BTreeSet::from(["ispbridge.aex.v1.LineService".to_owned()]);
        let shown = shown(&description, &visible);
        assert_eq!(shown.keys().collect::<Vec<_>>(), ["a.proto", "c.proto"]);
        let left = FileDescriptorProto::decode(shown["a.proto"].as_ref()).unwrap();
        assert_eq!(left, file("a.proto", &["LineService"], &["c.proto"]));
    }

    #[test]
    fn comments_stay_with_their_service() {
        let location = |path: &[i32], comment: &str| Location {
            path: path.to_vec(),
            span: vec![1, 2, 3],
            leading_comments: Some(comment.to_owned()),
            ..Location::default()
        };
        let mut whole = file("a.proto", &["AService", "BService", "CService"], &[]);
        let comments = [
            location(&[4, 1], "message"),
            location(&[6, 0], "A"),
            location(&[6, 1, 2, 0], "B"),
            location(&[6, 2], "C"),
        ];
        whole.source_code_info = Some(SourceCodeInfo { location: comments.to_vec() });
        let visible = ["BService", "CService"].map(|name| format!("ispbridge.aex.v1.{name}"));
        let shown = without_hidden(&whole.encode_to_vec().into(), &whole, &BTreeSet::from(visible)).unwrap();
        let mut expected = file("a.proto", &["BService", "CService"], &[]);
        let comments = [location(&[4, 1], "message"), location(&[6, 0, 2, 0], "B"), location(&[6, 1], "C")];
        expected.source_code_info = Some(SourceCodeInfo { location: comments.to_vec() });
        assert_eq!(FileDescriptorProto::decode(shown).unwrap(), expected);
    }
}
