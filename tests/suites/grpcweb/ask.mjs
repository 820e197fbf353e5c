// The interoperability tests of gRPC that clients in pages can do, asked with such clients as they are published.
// Source: https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md.

import assert from "node:assert/strict";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import grpcWeb from "grpc-web";
import protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor.js";
import XMLHttpRequest from "xhr2";

// Of the messages, what the tests say.
const PROTO = `
syntax = "proto3";
package grpc.testing;
message Empty {}
message Payload { int32 type = 1; bytes body = 2; }
message EchoStatus { int32 code = 1; string message = 2; }
message SimpleRequest { int32 response_type = 1; int32 response_size = 2; Payload payload = 3; EchoStatus response_status = 7; }
message SimpleResponse { Payload payload = 1; }
message ResponseParameters { int32 size = 1; int32 interval_us = 2; }
message StreamingOutputCallRequest {
  int32 response_type = 1; repeated ResponseParameters response_parameters = 2; Payload payload = 3; EchoStatus response_status = 7;
}
message StreamingOutputCallResponse { Payload payload = 1; }
service TestService {
  rpc EmptyCall(Empty) returns (Empty);
  rpc UnaryCall(SimpleRequest) returns (SimpleResponse);
  rpc StreamingOutputCall(StreamingOutputCallRequest) returns (stream StreamingOutputCallResponse);
  rpc UnimplementedCall(Empty) returns (Empty);
}
service UnimplementedService { rpc UnimplementedCall(Empty) returns (Empty); }
`;
const SIZES = [31415, 9, 2653, 58979];
const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n";
const INITIAL = "x-grpc-test-echo-initial";
const TRAILING = "x-grpc-test-echo-trailing-bin";
const [UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED] = [2, 4, 12];
const CASE_MS = 20_000;

const { root } = protobuf.parse(PROTO);
root.resolveAll();

/** Google's client: in text, and in binary, in which it has no streams. */
function google(url, format) {
  globalThis.XMLHttpRequest = XMLHttpRequest;
  const client = new grpcWeb.GrpcWebClientBase({ format });
  const described = (service, method, type) => {
    const found = root.lookupService(`grpc.testing.${service}`).methods[method];
    const [request, response] = [root.lookupType(`grpc.testing.${found.requestType}`), root.lookupType(`grpc.testing.${found.responseType}`)];
    const to = (message) => request.encode(request.fromObject(message)).finish();
    const from = (bytes) => response.toObject(response.decode(bytes));
    return new grpcWeb.MethodDescriptor(`/grpc.testing.${service}/${method}`, type, Object, Object, to, from);
  };
  const where = (service, method) => `${url}/grpc.testing.${service}/${method}`;
  const deadline = (metadata, timeoutMs) =>
    timeoutMs === undefined ? metadata : { ...metadata, deadline: String(Date.now() + timeoutMs) };
  const listen = (call) => {
    const seen = { messages: [], headers: {}, trailers: {} };
    call.on("metadata", (metadata) => Object.assign(seen.headers, metadata));
    call.on("status", (status) => Object.assign(seen.trailers, status.metadata));
    call.on("data", (message) => seen.messages.push(message));
    return seen;
  };
  return {
    streams: format === "text",
    isPiecemeal: false,
    unary: (service, method, message, { metadata = {}, timeoutMs } = {}) =>
      new Promise((resolve, reject) => {
        // The status comes after the answer.
        const done = (error, answer) => (error ? reject(error) : setTimeout(() => resolve({ ...seen, message: answer }), 50));
        const asked = [where(service, method), message, deadline(metadata, timeoutMs), described(service, method, "unary")];
        const seen = listen(client.rpcCall(...asked, done));
      }),
    stream: (service, method, message, { metadata = {}, timeoutMs } = {}) =>
      new Promise((resolve, reject) => {
        const call = client.serverStreaming(
          where(service, method), message, deadline(metadata, timeoutMs), described(service, method, "server_streaming"),
        );
        const seen = listen(call);
        call.on("error", reject);
        call.on("end", () => resolve(seen));
      }),
  };
}

/** Connect's client, in binary. */
function connect(url) {
  const set = root.toDescriptor("proto3");
  // It names types by where they are used; the registry wants to know them from anywhere.
  for (const field of set.file.flatMap((file) => file.messageType).flatMap((message) => message.field)) {
    field.typeName &&= `.grpc.testing.${field.typeName}`;
  }
  const written = descriptor.FileDescriptorSet.encode(set).finish();
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, written));
  const transport = createGrpcWebTransport({ baseUrl: url, useBinaryFormat: true });
  const described = (service, method) => {
    const found = registry.getService(`grpc.testing.${service}`);
    return [createClient(found, transport), found.methods.find((one) => one.name === method)];
  };
  const options = (seen, { metadata = {}, timeoutMs, signal }) => ({
    headers: metadata,
    timeoutMs,
    signal,
    onHeader: (headers) => Object.assign(seen.headers, Object.fromEntries(headers)),
    onTrailer: (trailers) => Object.assign(seen.trailers, Object.fromEntries(trailers)),
  });
  return {
    streams: true,
    isPiecemeal: true,
    unary: async (service, method, message, asked = {}) => {
      const [client, found] = described(service, method);
      const seen = { headers: {}, trailers: {} };
      seen.message = await client[found.localName](create(found.input, message), options(seen, asked));
      return seen;
    },
    stream: async (service, method, message, asked = {}) => {
      const [client, found] = described(service, method);
      const seen = { messages: [], headers: {}, trailers: {} };
      const stop = new AbortController();
      const answers = client[found.localName](create(found.input, message), options(seen, { ...asked, signal: stop.signal }));
      for await (const one of answers) {
        seen.messages.push(one);
        if (seen.messages.length === asked.cancelAfter) {
          stop.abort();
          return seen;
        }
      }
      return seen;
    },
  };
}

/** What went wrong with a call that has to. */
async function failed(call) {
  const error = await call.then(() => assert.fail("it went well"), (error) => error);
  const raw = error instanceof ConnectError ? error.rawMessage : error.message;
  return { code: error.code, message: raw };
}

const streamed = (sizes, intervalUs = 0) => ({ responseParameters: sizes.map((size) => ({ size, intervalUs })) });
const payload = (size) => ({ body: new Uint8Array(size) });
const echoed = (found) => [found.headers[INITIAL], found.trailers[TRAILING]];

const CASES = {
  async empty_unary(client) {
    await client.unary("TestService", "EmptyCall", {});
  },
  async large_unary(client) {
    const { message } = await client.unary("TestService", "UnaryCall", { responseSize: 314159, payload: payload(271828) });
    assert.equal(message.payload.body.length, 314159);
  },
  async custom_metadata(client) {
    const metadata = { [INITIAL]: "test_initial_metadata_value", [TRAILING]: "q6ur" };
    const found = await client.unary("TestService", "UnaryCall", { responseSize: 314159, payload: payload(271828) }, { metadata });
    assert.deepEqual(echoed(found), ["test_initial_metadata_value", "q6ur"]);
  },
  async status_code_and_message(client) {
    const asked = { responseStatus: { code: UNKNOWN, message: "test status message" } };
    assert.deepEqual(await failed(client.unary("TestService", "UnaryCall", asked)), { code: UNKNOWN, message: "test status message" });
  },
  async special_status_message(client) {
    const asked = { responseStatus: { code: UNKNOWN, message: SPECIAL } };
    assert.deepEqual(await failed(client.unary("TestService", "UnaryCall", asked)), { code: UNKNOWN, message: SPECIAL });
  },
  async unimplemented_method(client) {
    assert.equal((await failed(client.unary("TestService", "UnimplementedCall", {}))).code, UNIMPLEMENTED);
  },
  async unimplemented_service(client) {
    assert.equal((await failed(client.unary("UnimplementedService", "UnimplementedCall", {}))).code, UNIMPLEMENTED);
  },
  async server_streaming(client) {
    const { messages } = await client.stream("TestService", "StreamingOutputCall", streamed(SIZES));
    assert.deepEqual(messages.map(({ payload }) => payload.body.length), SIZES);
  },
  async timeout_on_sleeping_server(client) {
    const asked = client.stream("TestService", "StreamingOutputCall", streamed([9], 5_000_000), { timeoutMs: 500 });
    assert.equal((await failed(asked)).code, DEADLINE_EXCEEDED);
  },
  async cancel_after_first_response(client) {
    const { messages } = await client.stream("TestService", "StreamingOutputCall", streamed(SIZES, 100_000), { cancelAfter: 1 });
    assert.deepEqual(messages.map(({ payload }) => payload.body.length), [31415]);
  },
};
const STREAMED = ["server_streaming", "timeout_on_sleeping_server", "cancel_after_first_response"];
// What stands for XMLHttpRequest outside of pages tells of a body when it is there.
const PIECEMEAL = ["cancel_after_first_response"];

const [url] = process.argv.slice(2);
assert.equal(Code.Unimplemented, UNIMPLEMENTED);
const clients = { "grpc-web, text": google(url, "text"), "grpc-web, binary": google(url, "binary"), "connect-web": connect(url) };
const results = {};
for (const [who, client] of Object.entries(clients)) {
  for (const [name, ask] of Object.entries(CASES)) {
    if ((STREAMED.includes(name) && !client.streams) || (PIECEMEAL.includes(name) && !client.isPiecemeal)) {
      console.log(`left out: ${who}: ${name}`);
      continue;
    }
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error("no end")), CASE_MS).unref());
    results[`${who}: ${name}`] = await Promise.race([ask(client), late]).then(() => null, (error) => String(error.message ?? error));
  }
}
console.log(JSON.stringify(results));
process.exit(0);
