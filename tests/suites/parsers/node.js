// Reads requests as Node's HTTP parser (llhttp) finds them, in strict mode.
// Input: one base 64 text per line; output: one JSON array of requests per line, or an error.
"use strict";
const http = require("node:http");
const net = require("node:net");
const readline = require("node:readline");

function parse(bytes) {
  return new Promise((resolve) => {
    const requests = [];
    let error = null;
    const server = http.createServer({ insecureHTTPParser: false, requireHostHeader: true });
    server.on("request", (request, response) => {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.on("end", () => {
        requests.push({ method: request.method, target: request.url, body: Buffer.concat(parts).toString("base64") });
        response.end();
      });
    });
    server.on("upgrade", (request, socket) => {
      requests.push({ method: request.method, target: request.url, body: "" });
      socket.end();
    });
    server.on("checkExpectation", (request, response) => server.emit("request", request, response));
    server.on("clientError", (failure, socket) => {
      error = failure.code || failure.message;
      socket.destroy();
    });
    server.listen(0, "127.0.0.1", () => {
      const client = net.connect(server.address().port, "127.0.0.1");
      const end = () => server.close(() => resolve({ requests, error }));
      client.on("error", () => {});
      client.on("close", end);
      client.on("data", () => {});
      client.end(bytes);
    });
  });
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await parse(Buffer.from(line, "base64"))));
  }
})();
