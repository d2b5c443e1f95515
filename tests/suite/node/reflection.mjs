// Everything that reflection has, asked by Connect's gRPC and resolved in a registry of protobuf-es.
//
// Arguments: the gateway's address, an API key that may do everything.
// Prints how many services, methods, messages and comments of messages there are.

import assert from "node:assert/strict";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ServerReflection } from "./generated/grpc/reflection/v1/reflection_pb.js";

const [address, key] = process.argv.slice(2);
const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: `http://${address}` }));
const isOwn = (name) => name.startsWith("ispbridge.");

/** Asks some questions over one stream. */
async function ask(questions) {
  const asked = async function* () {
    for (const [name, value] of questions) yield { messageRequest: { case: name, value } };
  };
  const answers = [];
  for await (const answer of client.serverReflectionInfo(asked(), { headers: { "x-api-key": key } })) {
    answers.push(answer.messageResponse.value);
  }
  return answers;
}

/** The files of some symbols and all that they import. */
async function files(symbols) {
  const found = new Map();
  let wanted = symbols.map((symbol) => ["fileContainingSymbol", symbol]);
  while (wanted.length) {
    const answers = await ask(wanted);
    const proto = answers.flatMap((answer) => answer.fileDescriptorProto).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    for (const file of proto) found.set(file.name, file);
    const missing = new Set(proto.flatMap((file) => file.dependency).filter((name) => !found.has(name)));
    wanted = [...missing].map((name) => ["fileByFilename", name]);
  }
  return inOrder(found);
}

/** Every file behind those that it imports, as the registry wants them. */
function inOrder(found) {
  const ordered = new Set();
  const add = (file) => {
    file.dependency.forEach((name) => add(found.get(name)));
    ordered.add(file);
  };
  found.forEach(add);
  return [...ordered];
}

function comments(file) {
  const locations = file.proto.sourceCodeInfo?.location ?? [];
  return locations.filter(({ path, leadingComments }) => path.length === 2 && path[0] === 4 && leadingComments.trim()).length;
}

const [list] = await ask([["listServices", ""]]);
const services = list.service.map(({ name }) => name).filter(isOwn);
const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: await files([...services, "google.rpc.ErrorInfo"]) }));
assert.equal(registry.getMessage("google.rpc.ErrorInfo").file.proto.name, "google/rpc/error_details.proto");
const own = [...registry.files].filter((file) => isOwn(file.proto.package));
const sum = (values) => values.reduce((total, value) => total + value, 0);
console.log(
  services.length,
  sum(services.map((name) => registry.getService(name).methods.length)),
  sum(own.map((file) => file.messages.length)),
  sum(own.map(comments)),
);
