/**
 * Does with the SDK what lines of JSON say, and answers each with a line: the tests of the programs drive it against a
 * real server. Its twin is `sdk/python/tests/driven.py`.
 */

import { createInterface } from "node:readline";

import { type EvaluationContext, OpenFeature } from "@openfeature/server-sdk";

import { type Context, type Details, Gateline, type JsonValue } from "../src/index.js";
import { readBootstrap } from "../src/node.js";
import { GatelineProvider } from "../src/openfeature/server.js";

/** What a line says; which parts are there depends on what is to be done. */
interface Line {
  readonly do: keyof typeof ACTS;
  readonly url: string;
  readonly events_url?: string;
  readonly key: string;
  readonly evaluation: "local" | "remote";
  readonly poll_seconds: number;
  /** A file. */
  readonly bootstrap?: string;
  readonly flag: string;
  readonly otherwise: string;
  readonly contexts: readonly Context[];
}

/** Longer than a busy machine takes. */
const TIMEOUT_MS = 30_000;
const BACKOFF_MS = 50;

let client: Gateline;
let errors: string[] = [];

const ACTS = {
  open: async (line: Line): Promise<boolean> => {
    errors = [];
    client = new Gateline({
      url: line.url,
      key: line.key,
      evaluation: line.evaluation,
      pollMs: line.poll_seconds * 1000,
      timeoutMs: TIMEOUT_MS,
      backoffMs: BACKOFF_MS,
      onError: (error) => errors.push(`${error.code}: ${error.message}`),
      ...(line.events_url !== undefined && { eventsUrl: line.events_url }),
      ...(line.bootstrap !== undefined && { bootstrap: readBootstrap(line.bootstrap) }),
    });
    return await client.ready();
  },
  all: (line: Line): Promise<unknown> => each(line, async (context) => written(await client.all(context))),
  string: (line: Line): Promise<unknown> => each(line, (context) => client.string(line.flag, line.otherwise, context)),
  flush: (): Promise<void> => client.flush(),
  openfeature: async (line: Line): Promise<unknown> => {
    await OpenFeature.setProviderAndWait(new GatelineProvider(client));
    const asked = OpenFeature.getClient();
    const found = await each(line, async (context) => {
      const details = await asked.getStringDetails(line.flag, line.otherwise, context as EvaluationContext);
      return [details.value, details.variant ?? null, details.reason ?? null, details.flagMetadata];
    });
    await OpenFeature.clearProviders();
    return found;
  },
  /** Says what went wrong meanwhile. */
  close: async (): Promise<string[]> => {
    await client.close();
    return [...new Set(errors)].sort();
  },
};

async function each<T>(line: Line, ask: (context: Context) => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  for (const context of line.contexts) {
    found.push(await ask(context));
  }
  return found;
}

/** Writes details with the names that the server has for them. */
function written(all: Record<string, Details<JsonValue>>): unknown {
  const flags = Object.values(all).map(({ key, enabled, variant, value, reason, rule, flagVersion }) => ({
    key,
    enabled,
    variant,
    value,
    reason,
    rule,
    flag_version: flagVersion,
  }));
  return flags.sort((one, other) => (one.key < other.key ? -1 : 1));
}

for await (const text of createInterface({ input: process.stdin })) {
  const line = JSON.parse(text) as Line;
  const answer: unknown = await ACTS[line.do](line);
  process.stdout.write(`${JSON.stringify(answer ?? null)}\n`);
}
