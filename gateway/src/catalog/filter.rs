//! Reflection for one caller: the services that it may call, and the files that they need.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, PoisonError},
};

use bytes::{Buf, Bytes, BytesMut};
use prost::{
    Message,
    encoding::{DecodeContext, decode_key, skip_field},
};
use prost_types::FileDescriptorProto;

use super::{Catalog, Description, Nature, Reflection, Snapshot};
use crate::{
    method::{MethodName, provider_segment},
    policy::{Call, Grants},
};

/// Most sets of services whose reflection is kept.
const KEPT: usize = 64;
/// Number of the field `service` of a `FileDescriptorProto` (descriptor.proto).
const SERVICE: u32 = 6;

impl Catalog {
    /// The reflection service for a path over what these grants reach, once there is one.
    pub(crate) fn reflection_for(&self, path: &str, grants: &Grants) -> Option<Reflection> {
        let snapshot = self.current.load_full();
        let visible = snapshot.visible(grants);
        let mut kept = snapshot.filtered.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(&visible) {
            let files = shown(&*self.lock(), &visible);
            let made = super::reflection(&super::file_descriptor_set(files.values()))?;
            if kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert(visible.clone(), made);
        }
        kept.get(&visible).map(|both| super::version(both, path))
    }

    /// Whether these grants reach any method of a service.
    pub(crate) fn shows(&self, service: &str, grants: &Grants) -> bool {
        let snapshot = self.current.load();
        let mut methods = snapshot.methods.iter();
        methods.any(|(name, nature)| service_of(name) == Some(service) && reaches(grants, name, *nature))
    }
}

impl Snapshot {
    fn visible(&self, grants: &Grants) -> BTreeSet<String> {
        let reached = self.methods.iter().filter(|(name, nature)| reaches(grants, name, **nature));
        reached.filter_map(|(name, _)| service_of(name)).map(str::to_owned).collect()
    }
}

fn service_of(method: &str) -> Option<&str> {
    Some(method.split_once('/')?.0)
}

fn reaches(grants: &Grants, name: &str, nature: Nature) -> bool {
    let Some(method) = MethodName::of(name) else {
        return false;
    };
    let provider = provider_segment(method.service).unwrap_or_default().replace('_', "-");
    grants.reach(&Call { method, provider: &provider, nature: Some(nature) })
}

/// The files of visible services and all that they import, without the services that are not visible.
fn shown<'a>(
    descriptions: impl IntoIterator<Item = (&'a Arc<str>, &'a Description)>,
    visible: &BTreeSet<String>,
) -> BTreeMap<String, Bytes> {
    let all: BTreeMap<&str, (&Bytes, FileDescriptorProto)> = descriptions
        .into_iter()
        .flat_map(|(_, description)| &description.files)
        .filter_map(|(name, file)| Some((name.as_str(), (file, FileDescriptorProto::decode(file.as_ref()).ok()?))))
        .collect();
    let has_visible = |file: &FileDescriptorProto| {
        file.service.iter().any(|service| visible.contains(&format!("{}.{}", file.package(), service.name())))
    };
    let mut wanted: Vec<&str> = all.iter().filter(|(_, (_, file))| has_visible(file)).map(|(name, _)| *name).collect();
    let mut seen = HashSet::new();
    let mut files = BTreeMap::new();
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
    let mut services = file.service.iter();
    let mut rest = encoded.clone();
    let mut kept = BytesMut::with_capacity(encoded.len());
    while rest.has_remaining() {
        let before = rest.clone();
        let (tag, wire) = decode_key(&mut rest).ok()?;
        skip_field(wire, tag, &mut rest, DecodeContext::default()).ok()?;
        let hidden = tag == SERVICE && !visible.contains(&format!("{}.{}", file.package(), services.next()?.name()));
        if !hidden {
            kept.extend_from_slice(&before[..before.len() - rest.len()]);
        }
    }
    Some(kept.freeze())
}

#[cfg(test)]
mod tests {
    use prost_types::ServiceDescriptorProto;

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
        let description = Description { files: encoded.collect(), ..Description::default() };
        let visible = BTreeSet::from(["ispbridge.aex.v1.LineService".to_owned()]);
        let provider = "aex".into();
        let shown = shown([(&provider, &description)], &visible);
        assert_eq!(shown.keys().collect::<Vec<_>>(), ["a.proto", "c.proto"]);
        let left = FileDescriptorProto::decode(shown["a.proto"].as_ref()).unwrap();
        assert_eq!(left, file("a.proto", &["LineService"], &["c.proto"]));
    }
}
