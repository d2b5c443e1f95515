//! What is written can be read: any text, over every wire, through a look at the written request.

use std::collections::BTreeMap;

use bridge::{
    node::Node,
    table::TextRule,
    wire::{
        Envelope, json,
        soap::{self, Escapes, Style},
        xml_rpc::{self, Parameters, Texts},
    },
    xml::document::Limits,
};
use bumpalo::Bump;
use proptest::{collection, prelude::*};

use crate::contract::{Contact, TextsReply, TextsRequest, tables};

/// Texts without a meaning of their own: an empty one means absent in replies.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,12}",
        "\\PC{1,12}",
        "[<>&\"'\\]\r\n\t\\\\ ]{1,12}",
        Just("]]>".to_owned()),
        Just("<![CDATA[x]]>&amp;".to_owned())
    ]
}

fn any_contact() -> impl Strategy<Value = Contact> {
    (any_text(), any_text(), any::<Option<bool>>()).prop_map(|(name, email, primary)| Contact { name, email, primary })
}

prop_compose! {
    fn any_request()(
        first in any_text(),
        several in collection::vec(any_text(), 0..4),
        custom_fields in collection::btree_map(any_text(), any_text(), 0..4),
        contact in proptest::option::of(any_contact()),
        contacts in collection::vec(any_contact(), 0..4),
    ) -> TextsRequest {
        TextsRequest { first, several, custom_fields, contact, contacts }
    }
}

/// The reply that says the same as the request.
fn same(request: &TextsRequest) -> TextsReply {
    let TextsRequest { first, several, custom_fields, contact, contacts } = request.clone();
    TextsReply { first, several, custom_fields, contact, contacts, extra_fields: None }
}

/// Writes the request's tree, reads it back and makes a message of it.
fn through(
    text: TextRule,
    request: &TextsRequest,
    wire: impl for<'t> Fn(Node<'_>, &'t Bump) -> Node<'t>,
) -> TextsReply {
    let (there, back) = (Bump::new(), Bump::new());
    let tables = tables(text);
    let decoded = tables.decode(wire(tables.encode(request, &there).expect("a right request"), &back));
    assert_eq!((&decoded.unreadable[..], &decoded.missing[..]), (&[][..], &[][..]));
    decoded.message
}

fn over_json<'t>(node: Node<'_>, arena: &'t Bump) -> Node<'t> {
    let mut text = String::new();
    json::write(node, &mut text);
    json::parse(arena.alloc_str(&text).as_bytes(), arena).expect("our own JSON")
}

/// A call's argument as the answer to it.
fn over_xml_rpc<'t>(texts: Texts, node: Node<'_>, arena: &'t Bump) -> Node<'t> {
    let call = xml_rpc::write_call("A.b", Parameters::Struct, texts, node);
    let start = call.find("<params>").expect("parameters");
    let params = call[start..].replace("</methodCall>", "");
    let reply = arena.alloc_str(&format!("<methodResponse>{params}</methodResponse>"));
    match xml_rpc::parse_reply(reply, &Limits::default(), arena).expect("our own XML-RPC") {
        Envelope::Value(node) => node,
        fault @ Envelope::Fault { .. } => panic!("{fault:?}"),
    }
}

/// A call as the answer to it: the method becomes its response.
fn over_soap<'t>(style: Style, node: Node<'_>, arena: &'t Bump) -> Node<'t> {
    let call = soap::write_call("a", "urn:x", style, node);
    let reply = call.replace("<a xmlns=", "<aResponse xmlns=").replace("</a></soap:Body>", "</aResponse></soap:Body>");
    match soap::parse_reply(arena.alloc_str(&reply), "a", Escapes::Once, &Limits::default(), arena)
        .expect("our own SOAP")
    {
        Envelope::Value(node) => node,
        fault @ Envelope::Fault { .. } => panic!("{fault:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_message_survives_json(request in any_request()) {
        prop_assert_eq!(through(TextRule::Any, &request, over_json), same(&request));
    }

    #[test]
    fn any_message_survives_xml_rpc(request in any_request()) {
        for texts in [Texts::String, Texts::Base64] {
            let read = through(TextRule::Xml, &request, |node, arena| over_xml_rpc(texts, node, arena));
            prop_assert_eq!(read, same(&request));
        }
    }

    #[test]
    fn any_message_survives_a_soap_map(request in any_request()) {
        let read = through(TextRule::Xml, &request, |node, arena| over_soap(Style::Map, node, arena));
        prop_assert_eq!(read, same(&request));
    }

    #[test]
    fn any_message_survives_a_soap_struct(request in any_request()) {
        let read = through(TextRule::Xml, &request, |node, arena| over_soap(Style::Struct, node, arena));
        prop_assert_eq!(read, same(&request));
    }

    #[test]
    fn a_joined_text_reads_back_or_is_refused(contacts in collection::vec(("[:/a]{0,6}", "[:/a]{1,6}"), 1..4)) {
        use crate::contract::{ShapesReply, ShapesRequest};
        let contact = |(name, email): (String, String)| Contact { name, email, primary: None };
        let joined_parts: Vec<_> = contacts.into_iter().map(contact).collect();
        let request = ShapesRequest { joined_parts: joined_parts.clone(), ..ShapesRequest::default() };
        let arena = Bump::new();
        if let Ok(node) = tables(TextRule::Any).encode(&request, &arena) {
            prop_assert_eq!(tables(TextRule::Any).decode::<ShapesReply>(node).message.joined_parts, joined_parts);
        }
    }
}

#[test]
fn the_samples_of_the_property_tests_are_not_all_refused() {
    let request = TextsRequest {
        first: "a\r\nb".into(),
        custom_fields: BTreeMap::from([("4 \u{85}<".into(), "]]>".into())]),
        ..TextsRequest::default()
    };
    let read = through(TextRule::Xml, &request, |node, arena| over_soap(Style::Map, node, arena));
    assert_eq!(read, same(&request));
}
