/** A little server that speaks Gateline's wire: what it answers is said by the test. */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { compile } from "../src/evaluation/compiling.js";
import { moment } from "../src/evaluation/moments.js";
import type { Value } from "../src/evaluation/texts.js";

export const KEY = "gl_production_1_secret";

/** What was asked. */
export interface Asked {
  readonly path: string;
  readonly key: string | undefined;
  readonly etag: string | undefined;
  readonly body: unknown;
}

/** What is answered in place of the usual. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

interface Definitions {
  environment: string;
  flags: Record<string, unknown>;
  segments: Record<string, unknown>;
}

/** An exposure as it is told. */
interface Told {
  readonly id: string;
  readonly time: string;
  readonly user_id: string;
  readonly properties: { flag: string; variant: string; by: string };
}

export class FakeServer {
  readonly asked: Asked[] = [];
  readonly exposures: { id: string; flag: string; variant: string; by: string; unit: string }[] = [];
  definitions: Definitions = { environment: "production", flags: {}, segments: {} };
  /** By the first path of a call that it is for; taken from the front. */
  readonly refusals: [path: string, refusal: Refusal][] = [];
  hasStream = true;
  readonly #streams = new Set<ServerResponse>();
  #waiting: (() => void)[] = [];

  private constructor(readonly server: Server) {}

  static async start(flags: Record<string, unknown> = {}): Promise<FakeServer> {
    const server = createServer();
    const fake = new FakeServer(server);
    fake.definitions.flags = flags;
    server.on("request", (request, response) => void fake.#answer(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }

  /** Changes a flag and tells everybody who listens. */
  change(key: string, flag: unknown): void {
    this.definitions.flags = { ...this.definitions.flags, [key]: flag };
    for (const stream of this.#streams) {
      stream.write(this.#event());
    }
  }

  /** Breaks all streams off. */
  breakStreams(): void {
    this.#streams.forEach((stream) => stream.destroy());
  }

  /** Waits until something holds; it is looked at after every call. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  calls(path: string): Asked[] {
    return this.asked.filter((asked) => asked.path === path);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text === "" ? undefined : JSON.parse(text);
    const path = url.pathname.replace("/api/v1/", "");
    const header = (name: string): string | undefined => request.headers[name] as string | undefined;
    const key = header("x-api-key") ?? url.searchParams.get("key") ?? undefined;
    this.asked.push({ path, key, etag: header("if-none-match"), body });
    const place = this.refusals.findIndex(([refused]) => refused === path);
    const refusal = place < 0 ? undefined : this.refusals.splice(place, 1)[0]?.[1];
    if (refusal) {
      response.writeHead(refusal.status, refusal.headers).end(refusal.body ?? "");
    } else {
      this.#usual(path, body, header("if-none-match"), response);
    }
    response.once("close", () => this.#look());
    this.#look();
  }

  #look(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach((resolve) => resolve());
  }

  #usual(path: string, body: unknown, etag: string | undefined, response: ServerResponse): void {
    if (path === "feature-flags/definitions") {
      tagged(response, this.definitions, etag);
    } else if (path === "feature-flags/evaluate") {
      tagged(response, this.#evaluate((body as { attributes: Record<string, Value> }).attributes), etag);
    } else if (path === "feature-flags/changes" && this.hasStream) {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write(`: hello\n\n${this.#event()}`);
      this.#streams.add(response);
      response.once("close", () => this.#streams.delete(response));
    } else if (path === "tracking/events") {
      const { events } = body as { events: Told[] };
      this.exposures.push(...events.map(({ id, time, user_id: unit, properties }) => ({ id, time, unit, ...properties })));
      response.writeHead(202).end();
    } else {
      response.writeHead(404).end();
    }
  }

  #event(): string {
    return `data: {"type": "refetchEvaluation", "etag": ${JSON.stringify(tag(this.definitions))}}\n\n`;
  }

  #evaluate(attributes: Record<string, Value>): unknown {
    const flags = compile(this.definitions);
    const nowMicros = moment("2026-11-22T10:00:00Z") ?? 0;
    const subject = { attributes: new Map(Object.entries(attributes)), nowMicros };
    const each = flags.keys().map((key) => {
      const { flagVersion, unit: _, ...found } = flags.evaluate(key, subject) ?? {};
      return { ...found, flag_version: flagVersion, assignment_id: `asg_${key}` };
    });
    return { flags: each };
  }
}

function tag(body: unknown): string {
  return `"${createHash("sha256").update(JSON.stringify(body)).digest("hex").slice(0, 32)}"`;
}

function tagged(response: ServerResponse, body: unknown, known: string | undefined): void {
  const etag = tag(body);
  if (known === etag) {
    response.writeHead(304, { ETag: etag }).end();
  } else {
    response.writeHead(200, { ETag: etag, "Content-Type": "application/json" }).end(JSON.stringify(body));
  }
}

/** A boolean flag of which everybody gets the same, unless more is said. */
export function on(more: object = {}): object {
  const variants = { on: true, off: false };
  return { type: "boolean", version: 1, variants, off: "off", otherwise: { serve: "on" }, ...more };
}

/** A flag that is on for half of all users. */
export function half(more: object = {}): object {
  return on({ otherwise: { split: { on: 50, off: 50 }, by: "user_id" }, ...more });
}
