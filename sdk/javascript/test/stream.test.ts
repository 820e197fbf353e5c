/** The stream of changes: every form that the standard allows, and a server that says something else. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { attributeName, type GatelineError } from "../src/index.js";
import { Stream } from "../src/stream.js";
import { Transport } from "../src/transport.js";

/** Serves one answer after the other and says what a stream hears of each, until as many have come as wanted. */
async function heard(answers: ((response: ServerResponse) => void)[], wanted: number): Promise<(string | undefined)[]> {
  const server = createServer((_, response) => {
    const answer = answers.shift() ?? ((nothing) => void nothing.destroy());
    answer(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const transport = new Transport(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, "key", 1000);
  const found: (string | undefined)[] = [];
  const stream = new Stream(
    transport,
    {
      changed: (etag) => {
        found.push(etag);
        if (found.length === wanted) {
          stream.close();
        }
      },
      failed: (error: GatelineError) => {
        found.push(error.code);
      },
    },
    { isBrowser: false, backoffMs: 1 },
  );
  await stream.run();
  server.closeAllConnections();
  server.close();
  return found;
}

function streamed(text: string, pieceBytes = 1): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      response.write(bytes.subarray(at, at + pieceBytes));
    }
  };
}

test("events come in any pieces and with any ends of lines", async () => {
  const text =
    ': comment\r\n\r\nevent: other\r\ndata: {"etag": "no"}\r\n\r\ndata:{"type": "refetchEvaluation",\rdata: "etag": "ä"}\r\r' +
    'id: 1\nretry: 5\ndata: {"type": "refetchEvaluation", "etag": "b"}\n\ndata: {"etag": "no"}\n\ndata: {"type": "refetchEvaluation"}\n\ndata: nothing\n\n';
  assert.deepEqual(await heard([streamed(text)], 3), ["ä", "b", undefined]);
});

test("a stream goes on after answers that are none", async () => {
  const answers = [
    (response: ServerResponse) => void response.writeHead(200, { "Content-Type": "text/html" }).end("<p>"),
    (response: ServerResponse) => void response.writeHead(401).end(),
    (response: ServerResponse) => void response.destroy(),
    streamed(`data: ${"x".repeat(70_000)}`, 1000),
    streamed('data: {"type": "refetchEvaluation", "etag": "a"}\n\n'),
  ];
  assert.deepEqual(await heard(answers, 5), ["answer_invalid", "refused", "unreachable", "answer_invalid", "a"]);
});

test("names in camelCase are those of flags", () => {
  const table = {
    userId: "user_id",
    userID: "user_id",
    appVersion: "app_version",
    HTTPStatus: "HTTPStatus",
    ipV6Address: "ip_v6_address",
    sdkURLPath: "sdk_url_path",
    user_id: "user_id",
    "company.planName": "company.planName",
    country: "country",
    größeX: "größeX",
  };
  for (const [name, expected] of Object.entries(table)) {
    assert.equal(attributeName(name), expected);
  }
});
