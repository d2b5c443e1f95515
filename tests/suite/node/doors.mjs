// AEx through the gateway with the official clients of Connect: their own Connect, gRPC-Web and gRPC, over Node's HTTP and
// over fetch as a browser has it. Generated code comes from the contract by protoc-gen-es.
//
// Arguments: the gateway's address, an API key that may do everything, an API key that may do nothing.
// Prints one line per check that held; the first that does not ends the program with an error.

import assert from "node:assert/strict";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import * as node from "@connectrpc/connect-node";
import * as web from "@connectrpc/connect-web";
import { CustomerService } from "./generated/ispbridge/aex/v1/customer_service_pb.js";
import { OrderService } from "./generated/ispbridge/aex/v1/order_service_pb.js";
import { PremiseService } from "./generated/ispbridge/aex/v1/premise_service_pb.js";

const [address, key, stranger] = process.argv.slice(2);
const baseUrl = `http://${address}`;
const CUSTOMER = "FC65F24E-AADD-440E-AF96-9CBBDFA50349";
const PREMISE = "B002A6B4-6541-47A5-8438-BE8ACEAA6D82";
const SERVICE = "533EE0A6-7279-415B-9ED1-191BC406AB9D";
const NOBODY = "00000000-0000-0000-0000-000000000000";

function held(name) {
  console.log(`held: ${name}`);
}

function options(key, more) {
  const withKey = (next) => (request) => {
    if (key) request.header.set("x-api-key", key);
    request.header.set("x-ispbridge-account", "main");
    return next(request);
  };
  return { baseUrl, interceptors: [withKey], defaultTimeoutMs: 20_000, ...more };
}

const transports = {
  "Connect, JSON, HTTP/1.1": (key) => node.createConnectTransport(options(key, { httpVersion: "1.1", useBinaryFormat: false })),
  "Connect, JSON, HTTP/1.1, gzip": (key) =>
    node.createConnectTransport(
      options(key, { httpVersion: "1.1", useBinaryFormat: false, sendCompression: node.compressionGzip, compressMinBytes: 1 }),
    ),
  "Connect, protobuf, HTTP/2": (key) => node.createConnectTransport(options(key, { httpVersion: "2", useBinaryFormat: true })),
  "Connect, GET, HTTP/1.1": (key) => node.createConnectTransport(options(key, { httpVersion: "1.1", useHttpGet: true })),
  "gRPC-Web, HTTP/1.1": (key) => node.createGrpcWebTransport(options(key, { httpVersion: "1.1" })),
  "gRPC-Web, HTTP/2": (key) => node.createGrpcWebTransport(options(key, { httpVersion: "2" })),
  gRPC: (key) => node.createGrpcTransport(options(key, { httpVersion: "2" })),
  "Connect, fetch": (key) => web.createConnectTransport(options(key)),
  "Connect, GET, fetch": (key) => web.createConnectTransport(options(key, { useHttpGet: true, useBinaryFormat: true })),
  "gRPC-Web, fetch": (key) => web.createGrpcWebTransport(options(key)),
};

async function refused(call) {
  try {
    await call;
  } catch (error) {
    const found = ConnectError.from(error);
    const info = found.details.find((detail) => (detail.type ?? detail.desc?.typeName) === "google.rpc.ErrorInfo");
    assert.ok(info, `no ErrorInfo: ${found}`);
    return found;
  }
  assert.fail("the call must be refused");
}

async function reads(name, transport) {
  let requestId;
  const { customer } = await createClient(CustomerService, transport).getCustomer(
    { customerId: CUSTOMER },
    { headers: { "x-request-id": "node-7" }, onHeader: (headers) => (requestId = headers.get("x-request-id")) },
  );
  assert.equal(customer.parentId, "AEEF38C0-F1E9-4E83-AD4F-3E35AAB8DFCF");
  assert.equal(customer.businessName, undefined);
  assert.equal(requestId, "node-7");
  const { premise } = await createClient(PremiseService, transport).getPremise({ premiseId: PREMISE });
  assert.equal(premise.streetName, "Pompano Place");
  const { service } = await createClient(OrderService, transport).getService({ serviceId: SERVICE });
  assert.equal(service.wifiUsername, "RippleFiber_ID3Y");
  held(`${name}: reads`);
}

async function writes(name, transport, number) {
  const client = createClient(CustomerService, transport);
  const person = { firstName: "Thandi", lastName: "Ó Briain", email: `thandi${number}@example.com`, mobileNumber: "1234567890" };
  const { customerId } = await client.createCustomer({ customer: { ...person, password: "s33kret" } });
  const { customer } = await client.getCustomer({ customerId });
  assert.equal(customer.lastName, person.lastName);
  const again = await refused(client.createCustomer({ customer: { ...person, password: "s33kret" } }));
  assert.equal(again.code, Code.AlreadyExists);
  held(`${name}: writes`);
}

async function refusals(name, make, transport) {
  const unknown = await refused(createClient(PremiseService, transport).getPremise({ premiseId: NOBODY }));
  assert.equal(unknown.code, Code.NotFound);
  const missing = await refused(createClient(CustomerService, transport).createCustomer({ customer: { password: "x" } }));
  assert.equal(missing.code, Code.InvalidArgument);
  assert.equal(missing.details.length, 2);
  for (const [wrong, code] of [["", Code.Unauthenticated], ["ispb_wrong", Code.Unauthenticated], [stranger, Code.PermissionDenied]]) {
    const error = await refused(createClient(PremiseService, make(wrong)).getPremise({ premiseId: PREMISE }));
    assert.equal(error.code, code);
  }
  held(`${name}: refusals`);
}

let number = 0;
for (const [name, make] of Object.entries(transports)) {
  const transport = make(key);
  await reads(name, transport);
  await writes(name, transport, number++);
  await refusals(name, make, transport);
}
// Kept connections would keep the program.
process.exit(0);
