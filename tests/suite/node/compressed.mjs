// Calls with gRPC's own compression, as grpc-js makes them: requests go out in gzip, replies may come back so.
//
// Arguments: an address, an API key (empty for a service that believes everybody). Prints one line per check that held.

import assert from "node:assert/strict";
import { Client, Metadata, compressionAlgorithms, credentials, status } from "@grpc/grpc-js";

const [address, key] = process.argv.slice(2);
const METHOD = "/ispbridge.aex.v1.PremiseService/GetPremise";
const PREMISE = Buffer.from("B002A6B4-6541-47A5-8438-BE8ACEAA6D82");

function varint(number) {
  const bytes = [];
  for (; number >= 0x80; number >>= 7) bytes.push((number & 0x7f) | 0x80);
  return Buffer.from([...bytes, number]);
}

// A premise's id, and so many bytes in a field that nobody knows.
function request(padding) {
  const field = [Buffer.from([0xc2, 0x3e]), varint(padding), Buffer.alloc(padding, "a")];
  return Buffer.concat([Buffer.from([0x0a]), varint(PREMISE.length), PREMISE, ...field]);
}

function client(algorithm) {
  return new Client(address, credentials.createInsecure(), { "grpc.default_compression_algorithm": algorithm });
}

function call(channel, padding) {
  const metadata = new Metadata();
  metadata.set("x-ispbridge-account", "main");
  if (key) metadata.set("x-api-key", key);
  const as = (bytes) => bytes;
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + 20_000 };
    channel.makeUnaryRequest(METHOD, as, as, request(padding), metadata, options, (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

async function refused(channel, padding, code) {
  await assert.rejects(call(channel, padding), (error) => {
    assert.equal(error.code, code, error);
    return true;
  });
}

const gzip = client(compressionAlgorithms.gzip);
for (const padding of [0, 2000, 900_000]) {
  assert.ok((await call(gzip, padding)).length > 0);
  console.log(`${padding} bytes, compressed`);
}
// Far less than the limit as it is sent, and more than that unpacked.
await refused(gzip, 2_000_000, status.RESOURCE_EXHAUSTED);
console.log("over the limit");
const deflate = client(compressionAlgorithms.deflate);
await refused(deflate, 2000, status.UNIMPLEMENTED);
console.log("another compression is refused");
gzip.close();
deflate.close();
