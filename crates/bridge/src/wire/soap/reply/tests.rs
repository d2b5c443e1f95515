use super::*;

fn read(inner: &str) -> String {
    let text = format!("<s:Envelope xmlns:s=\"x\"><s:Body>{inner}</s:Body></s:Envelope>");
    let arena = Bump::new();
    match parse_reply(&text, "m", Escapes::Once, &Limits::default(), &arena) {
        Ok(Envelope::Value(node)) => format!("{node:?}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn reads_every_kind_of_value() {
    for (value, expected) in [
        ("<r t:type='xsd:int'>5</r>", "Text(\"5\")"),
        ("<r type='base64Binary'>Q2Fm6Q==</r>", "Text(\"Café\")"),
        ("<r xsi:nil='true'/>", "Null"),
        ("", "Null"),
        ("<r/>", "Text(\"\")"),
        ("<e:Array e:arrayType='x[2]'><item>a</item><item>b</item></e:Array>", "List([Text(\"a\"), Text(\"b\")])"),
        (
            "<r t:type='a:Map'><item><key>two words</key><value>x</value></item></r>",
            "Map([(\"two words\", Text(\"x\"))])",
        ),
        (
            "<r><a>1</a><b><c/></b><a>2</a></r>",
            "Map([(\"a\", List([Text(\"1\"), Text(\"2\")])), (\"b\", Map([(\"c\", Text(\"\"))]))])",
        ),
    ] {
        assert_eq!(read(&format!("<mResponse>{value}</mResponse>")), expected, "{value}");
    }
    let shared = "<mResponse><r href='#i1'/></mResponse><multiRef id='i1'>x</multiRef>";
    assert_eq!(read(shared), "Text(\"x\")");
    let endless = "<mResponse><r href='#i1'/></mResponse><multiRef id='i1' href='#i1'/>";
    assert!(read(endless).contains("references that do not end"));
}

#[test]
fn what_references_point_at_may_stand_anywhere() {
    let list = "List([Text(\"x\"), Text(\"x\")])";
    for body in [
        // PHP's SoapServer.
        "<mResponse><r e:arrayType='x[2]'><item id='ref1'>x</item><item href='#ref1'/></r></mResponse>",
        "<mResponse><r e:arrayType='x[2]'><item href='#ref1'/><item id='ref1'>x</item></r></mResponse>",
        "<mResponse><r e:arrayType='x[2]'><item e:id='ref1'>x</item><item e:ref='#ref1'/></r></mResponse>",
        // Axis: behind the answer, or before it.
        "<mResponse><r e:arrayType='x[2]'><i href='#i'/><i href='#i'/></r></mResponse><multiRef id='i'>x</multiRef>",
        "<multiRef id='i'>x</multiRef><mResponse><r e:arrayType='x[2]'><i href='#i'/><i href='#i'/></r></mResponse>",
        "<multiRef id='l' e:arrayType='x[2]'><i id='i'>x</i><i href='#i'/></multiRef><mResponse><r href='#l'/></mResponse>",
        "<x e:root='0' id='i'>x</x><mResponse id='o' e:root='1'><r e:arrayType='x[2]'><i ref='i'/><i href='i'/></r></mResponse>",
    ] {
        assert_eq!(read(body), list, "{body}");
    }
    let lost = "<mResponse><r><a href='#nowhere'/><b>x</b></r></mResponse>";
    assert_eq!(read(lost), "Map([(\"a\", Unreadable(\"nowhere\")), (\"b\", Text(\"x\"))])");
    for body in ["<multiRef id='i'>x</multiRef>", "<x/><mResponse><r>1</r></mResponse>", "<mResponse2 id='i'/>"] {
        assert!(read(body).starts_with("Err(Envelope"), "{body}");
    }
    let before = "<multiRef id='i'>x</multiRef><s:Fault><faultcode>s:Server</faultcode></s:Fault>";
    assert!(read(before).starts_with("Ok(Fault"));
}

#[test]
fn faults_of_both_versions_keep_code_and_text() {
    for (fault, code, words) in [
        ("<faultcode>s:Client.Authentication</faultcode><faultstring>no</faultstring>", "Client.Authentication", "no"),
        (
            "<faultcode> Server </faultcode><faultstring/><detail><e><c>42</c> it <b>died</b></e></detail>",
            "Server",
            "it 42 died",
        ),
        ("<faultcode>Server</faultcode><faultstring> \n</faultstring><detail>words</detail>", "Server", "words"),
        ("<faultcode>Server</faultcode><detail><t t:type='x:base64Binary'>xYE=</t></detail>", "Server", "Ł"),
        ("<faultcode>Server</faultcode><faultstring>a\u{ffff}b</faultstring>", "Server", "a\u{ffff}b"),
        (
            "<s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text xml:lang='en'>no</s:Text></s:Reason>",
            "Sender",
            "no",
        ),
        (
            "<s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>m:Late</s:Value></s:Subcode></s:Code>\
             <s:Reason><s:Text xml:lang='x'> </s:Text><s:Text xml:lang='en'>too late</s:Text></s:Reason>",
            "Sender.Late",
            "too late",
        ),
        (
            "<s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason/><s:Detail><x>died</x></s:Detail>",
            "Receiver",
            "died",
        ),
        ("", "", ""),
    ] {
        let text = format!("<s:Envelope><s:Body><s:Fault>{fault}</s:Fault></s:Body></s:Envelope>");
        let arena = Bump::new();
        let read = parse_reply(&text, "m", Escapes::Once, &Limits::default(), &arena);
        let Ok(Envelope::Fault(said)) = read else { panic!("{read:?}") };
        assert_eq!((said.code, said.words()), (code, words), "{fault}");
    }
}

#[test]
fn references_make_no_tree_without_bounds() {
    let doubled = |n: usize| format!("<multiRef id='i{n}'><a href='#i{0}'/><b href='#i{0}'/></multiRef>", n + 1);
    let last = "<multiRef id='i25'>x</multiRef>";
    let laughs: String = (0..25).map(doubled).collect();
    let laughs = format!("<mResponse><r href='#i0'/></mResponse>{laughs}{last}");
    let copies = format!(
        "<mResponse><Array>{}</Array></mResponse><multiRef id='b' type='base64'>{}</multiRef>",
        "<i href='#b'/>".repeat(10_000),
        "QUJD".repeat(10_000)
    );
    let most = Limits::default().elements;
    for reply in [laughs, copies] {
        assert_eq!(read(&reply), format!("Err(Limit(\"values\", {most}))"));
    }
    let crowd: String = (0..20_000).map(|n| format!("<multiRef id='i{n}'>x</multiRef>")).collect();
    let all: String = (0..20_000).map(|n| format!("<i href='#i{n}'/>")).collect();
    assert!(read(&format!("<mResponse><Array>{all}</Array></mResponse>{crowd}")).starts_with("List([Text"));
}

#[test]
fn a_fault_or_another_document_is_never_a_value() {
    let fault = "<s:Fault><faultcode>s:Server</faultcode><faultstring>died\n</faultstring></s:Fault>";
    assert_eq!(read(fault), r#"Ok(Fault(ProtocolFault { code: "Server", text: "died", detail: "" }))"#);
    for other in ["", "<otherResponse><r>1</r></otherResponse>", "<m><r>1</r></m>"] {
        assert!(read(other).starts_with("Err(Envelope"), "{other}");
    }
    let arena = Bump::new();
    assert!(parse_reply("<html><body/></html>", "m", Escapes::Once, &Limits::default(), &arena).is_err());
}

#[test]
fn versions_that_escape_twice_are_known() {
    let of = |version| Escapes::of_server(&format!("SOAP::Lite/Perl/{version}"));
    for version in ["0.70_04", "0.710.05", "0.710.06"] {
        assert_eq!(of(version), Escapes::Twice, "{version}");
    }
    for version in ["0.55", "0.69", "0.710.07", "0.710.10", "0.711", "0.714", "1.27", ""] {
        assert_eq!(of(version), Escapes::Once, "{version}");
    }
}

fn outputs(inner: &str) -> String {
    let text = format!("<s:Envelope xmlns:s=\"x\"><s:Body>{inner}</s:Body></s:Envelope>");
    format!("{:?}", parse_outputs(&text, "m", &Limits::default(), &Bump::new()))
}

#[test]
fn all_outputs_of_a_reply_are_a_map() {
    for (answer, expected) in [
        (
            "<n:mResponse><id t:type='x:string'>a</id><code t:type='x:int'>1</code></n:mResponse>",
            "Map([(\"id\", Text(\"a\")), (\"code\", Text(\"1\"))])",
        ),
        ("<mResponse><r>1</r><r>2</r><r/></mResponse>", "Map([(\"r\", List([Text(\"1\"), Text(\"2\"), Text(\"\")]))])"),
        (
            "<mResponse><a x:nil='1'/><b><c>2</c></b></mResponse>",
            "Map([(\"a\", Null), (\"b\", Map([(\"c\", Text(\"2\"))]))])",
        ),
        (
            "<mResponse><l e:arrayType='x[0]'/><r href='#i'/></mResponse><m id='i'>x</m>",
            "Map([(\"l\", List([])), (\"r\", Text(\"x\"))])",
        ),
        ("<mResponse/>", "Map([])"),
    ] {
        assert_eq!(outputs(answer), format!("Ok(Value({expected}))"), "{answer}");
    }
    assert!(outputs("<s:Fault><faultcode>Server</faultcode></s:Fault>").starts_with("Ok(Fault"));
    assert!(outputs("<otherResponse/>").starts_with("Err(Envelope"));
}
