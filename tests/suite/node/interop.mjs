// Cases of gRPC's interoperability tests through the gateway, with grpc-js; and streams with the clients of Connect.
//
// Arguments: the gateway's address, an API key. Prints one line per case that held; the first that does not ends the
// program with an error.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import * as node from "@connectrpc/connect-node";
import * as web from "@connectrpc/connect-web";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { TestService } from "./generated/ispbridge/interop/v1/test_pb.js";

const [address, key] = process.argv.slice(2);
const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const proto = fileURLToPath(new URL("../proto/ispbridge/interop/v1/test.proto", import.meta.url));
const { TestService: Service } = grpc.loadPackageDefinition(loader.loadSync(proto, { keepCase: true })).ispbridge.interop.v1;
const client = new Service(address, grpc.credentials.createInsecure());

function metadata() {
  const metadata = new grpc.Metadata();
  metadata.set("x-api-key", key);
  return metadata;
}

function held(name) {
  console.log(`held: ${name}`);
}

/** A unary call; the reply, or the error. */
function unary(method, request) {
  return new Promise((resolve) => client[method](request, metadata(), (error, reply) => resolve(error ?? reply)));
}

/** The end of a stream. */
function status(call) {
  return new Promise((resolve) => {
    call.on("error", (error) => resolve(error));
    call.on("data", () => {});
    call.on("end", () => resolve({ code: grpc.status.OK }));
  });
}

const cases = {
  async empty_unary() {
    assert.deepEqual(await unary("EmptyCall", {}), {});
  },
  async large_unary() {
    const reply = await unary("UnaryCall", { response_size: 314159, payload: { body: Buffer.alloc(271828) } });
    assert.equal(reply.payload.body.length, 314159);
  },
  async cancel_after_begin() {
    const error = await new Promise((resolve) => {
      client.StreamingInputCall(metadata(), (error) => resolve(error)).cancel();
    });
    assert.equal(error.code, grpc.status.CANCELLED);
  },
  async timeout_on_sleeping_server() {
    const call = client.FullDuplexCall(metadata(), { deadline: Date.now() + 1 });
    call.write({ payload: { body: Buffer.alloc(27182) } });
    assert.equal((await status(call)).code, grpc.status.DEADLINE_EXCEEDED);
  },
  async status_code_and_message() {
    const response_status = { code: 2, message: "test status message" };
    const error = await unary("UnaryCall", { response_status });
    assert.deepEqual([error.code, error.details], [2, response_status.message]);
    const call = client.FullDuplexCall(metadata());
    call.write({ response_status });
    call.end();
    const ended = await status(call);
    assert.deepEqual([ended.code, ended.details], [2, response_status.message]);
  },
  async special_status_message() {
    const error = await unary("UnaryCall", { response_status: { code: 2, message: SPECIAL } });
    assert.deepEqual([error.code, error.details], [2, SPECIAL]);
  },
  async unimplemented_method() {
    assert.equal((await unary("UnimplementedCall", {})).code, grpc.status.UNIMPLEMENTED);
  },
};
for (const [name, run] of Object.entries(cases)) {
  await run();
  held(name);
}

const withKey = (next) => (request) => {
  request.header.set("x-api-key", key);
  return next(request);
};
const options = (more) => ({ baseUrl: `http://${address}`, interceptors: [withKey], ...more });
const transports = {
  "Connect, JSON": node.createConnectTransport(options({ httpVersion: "1.1", useBinaryFormat: false })),
  "Connect, protobuf": node.createConnectTransport(options({ httpVersion: "2", useBinaryFormat: true })),
  "Connect, fetch": web.createConnectTransport(options()),
  "gRPC-Web": node.createGrpcWebTransport(options({ httpVersion: "1.1" })),
  "gRPC-Web, fetch": web.createGrpcWebTransport(options()),
};

async function streams(name, transport) {
  const client = createClient(TestService, transport);
  const sizes = [31415, 9, 0, 58979];
  const found = [];
  let packed;
  const onHeader = (headers) => (packed = headers.get("connect-content-encoding") ?? headers.get("grpc-encoding"));
  for await (const { payload } of client.streamingOutputCall({ responseParameters: sizes.map((size) => ({ size })) }, { onHeader })) {
    found.push(payload.body.length);
  }
  assert.deepEqual(found, sizes);
  // What runs in browsers leaves compression to the browser, which knows no envelopes.
  assert.equal(packed, name.endsWith("fetch") ? null : "gzip");
  const ends = client.streamingOutputCall({ responseParameters: [{ size: 1 }], responseStatus: { code: 5, message: SPECIAL } });
  let count = 0;
  try {
    for await (const _ of ends) count += 1;
    assert.fail("the stream must end with an error");
  } catch (error) {
    assert.deepEqual([ConnectError.from(error).code, ConnectError.from(error).rawMessage], [Code.NotFound, SPECIAL]);
  }
  assert.equal(count, 1);
  held(`${name}: a stream of replies`);
}

for (const [name, transport] of Object.entries(transports)) {
  await streams(name, transport);
}
process.exit(0);
