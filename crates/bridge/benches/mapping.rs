//! The mapping beside a straight serde derive of the same shape: `cargo bench -p bridge`.
//!
//! Each pair does the same work up to the point where the derive has filled its structs: ours has made
//! the prost message by then, or the request's bytes from it. The derives know their names when they are
//! compiled, and neither list several problems nor keep unknown keys. `events` is a reader of quick-xml's events that is
//! written by hand for one message.

mod events;
mod samples;

use bridge::{
    table::Tables,
    wire::{
        Envelope, json, simple_node,
        soap::{self, Escapes, Style},
    },
    xml::{document::Limits, simple},
};
use bumpalo::Bump;
use divan::{Bencher, black_box};

use samples::{
    AddRequest, Added, Customers, Envelope as SerdeEnvelope, Listed, SearchReply, add_request, added, brief_reply,
    json_reply, soap_reply, tables,
};

fn main() {
    divan::main();
}

mod encode_forty_fields {
    use super::*;

    #[divan::bench]
    fn bridge(bencher: Bencher<'_, '_>) {
        let (tables, request) = (tables(), add_request());
        bencher.bench(|| write(&tables, black_box(&request)));
    }

    #[divan::bench]
    fn serde(bencher: Bencher<'_, '_>) {
        let request = added();
        bencher.bench(|| write_derived(black_box(&request)));
    }
}

mod decode_twenty_kilobytes {
    use super::*;

    #[divan::bench]
    fn bridge(bencher: Bencher<'_, '_>) {
        let (tables, reply) = (tables(), brief_reply());
        assert_eq!(read(&tables, &reply), super::events::read(&reply));
        bencher.bench(|| read(&tables, black_box(&reply)));
    }

    #[divan::bench]
    fn events(bencher: Bencher<'_, '_>) {
        let reply = brief_reply();
        bencher.bench(|| super::events::read(black_box(&reply)));
    }
}

mod decode_hundred_customers {
    use super::*;

    #[divan::bench]
    fn bridge(bencher: Bencher<'_, '_>) {
        let (tables, reply) = (tables(), soap_reply(100));
        assert_eq!(read(&tables, &reply).customers.len(), 100);
        bencher.bench(|| read(&tables, black_box(&reply)));
    }

    #[divan::bench]
    fn events(bencher: Bencher<'_, '_>) {
        let (tables, reply) = (tables(), soap_reply(100));
        assert_eq!(read(&tables, &reply), super::events::read(&reply));
        bencher.bench(|| super::events::read(black_box(&reply)));
    }

    #[divan::bench]
    fn serde(bencher: Bencher<'_, '_>) {
        let reply = soap_reply(100);
        assert_eq!(read_derived(&reply).customer.len(), 100);
        bencher.bench(|| read_derived(black_box(&reply)));
    }
}

mod decode_hundred_json_records {
    use super::*;

    #[divan::bench]
    fn bridge(bencher: Bencher<'_, '_>) {
        let (tables, reply) = (tables(), json_reply(100));
        assert_eq!(read_json(&tables, reply.as_bytes()).customers.len(), 100);
        bencher.bench(|| read_json(&tables, black_box(reply.as_bytes())));
    }

    #[divan::bench]
    fn serde(bencher: Bencher<'_, '_>) {
        let reply = json_reply(100);
        bencher.bench(|| serde_json::from_slice::<Listed>(black_box(reply.as_bytes())).expect("the sample"));
    }
}

fn write(tables: &Tables, request: &AddRequest) -> String {
    let arena = Bump::new();
    let node = tables.encode(request, &arena).expect("the sample is right");
    soap::write_call("addCustomer", "http://h/OperatorAPI", Style::Struct, node)
}

fn write_derived(request: &Added) -> String {
    let mut body = String::with_capacity(4096);
    quick_xml::se::to_writer_with_root(&mut body, "addCustomer", request).expect("the sample");
    format!("<soap:Envelope xmlns:soap=\"x\"><soap:Body>{body}</soap:Body></soap:Envelope>")
}

fn read(tables: &Tables, reply: &str) -> SearchReply {
    let arena = Bump::with_capacity(reply.len() * 2);
    let limits = Limits::default();
    let envelope = soap::parse_reply(reply, "searchCustomer", Escapes::Once, &limits, &arena).expect("the sample");
    let Envelope::Value(value) = envelope else { panic!("the sample is no fault") };
    let text = value.scalar().expect("a text").trim();
    let element = simple::parse(text, &limits, &arena).expect("XML in a text");
    tables.decode(simple_node(&element, &arena)).message
}

fn read_derived(reply: &str) -> Customers {
    let envelope: SerdeEnvelope = quick_xml::de::from_str(reply).expect("the sample");
    quick_xml::de::from_str(&envelope.body.response.result.text).expect("XML in a text")
}

fn read_json(tables: &Tables, reply: &[u8]) -> SearchReply {
    let arena = Bump::with_capacity(reply.len() * 2);
    tables.decode(json::parse(reply, &arena).expect("the sample")).message
}
