/** Evaluates here, by definitions that the server sends: for server keys. */

import type { Attributes } from "./context.js";
import { GatelineError } from "./errors.js";
import { compile } from "./evaluation/compiling.js";
import type { Flags } from "./evaluation/flags.js";
import { isObject } from "./evaluation/reading.js";
import { keep, readKept, type Source, type SourceOptions } from "./source.js";
import type { Found } from "./types.js";

const PATH = "feature-flags/definitions";
const FORM = "definitions/1";

/** The definitions of an environment. */
export class LocalSource implements Source {
  #flags: Flags | undefined;
  #definitions: Readonly<Record<string, unknown>> = {};
  #etag: string | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(private readonly options: SourceOptions) {}

  isReadyFor(): boolean {
    return this.#flags !== undefined;
  }

  isFreshFor(): boolean {
    return this.#flags !== undefined;
  }

  evaluate(key: string, attributes: Attributes): Found | undefined {
    return this.#flags?.evaluate(key, { attributes, nowMicros: Date.now() * 1000 });
  }

  evaluateAll(attributes: Attributes): Found[] {
    const keys = this.#flags?.keys() ?? [];
    return keys.flatMap((key) => this.evaluate(key, attributes) ?? []);
  }

  async begin(): Promise<void> {
    const kept = await readKept(FORM, this.options);
    // What the server said last is newer than what was built in.
    if (isObject(kept) && isObject(kept["definitions"])) {
      this.#take(kept["definitions"]);
      this.#etag = typeof kept["etag"] === "string" ? kept["etag"] : undefined;
      return;
    }
    const { bootstrap } = this.options;
    if (bootstrap === undefined) {
      return;
    }
    if (isObject(bootstrap) && isObject(bootstrap["flags"])) {
      this.#take(bootstrap);
    } else {
      const message = "The bootstrap has no definitions, as GET /api/v1/feature-flags/definitions answers them.";
      this.options.failed(new GatelineError("copy_unusable", message));
    }
  }

  async load(): Promise<void> {
    if (!this.#flags) {
      await this.refresh();
    }
  }

  async refresh(etag?: string): Promise<void> {
    // Whoever hears of a change while an answer is on its way asks once more after it: it may be too old.
    const before = this.#refreshing;
    if (before && etag === undefined) {
      return before;
    }
    const refreshing = (before ?? Promise.resolve()).catch(() => undefined).then(() => this.#askUnless(etag));
    this.#refreshing = refreshing;
    try {
      await refreshing;
    } finally {
      if (this.#refreshing === refreshing) {
        this.#refreshing = undefined;
      }
    }
  }

  async #askUnless(known: string | undefined): Promise<void> {
    if (known === undefined || this.#etag === undefined || bare(known) !== bare(this.#etag)) {
      await this.#ask();
    }
  }

  async #ask(): Promise<void> {
    const answer = await this.options.transport.call(PATH, { etag: this.#etag });
    if (!answer.isNew) {
      return;
    }
    const { body, etag } = answer;
    if (!isObject(body) || !isObject(body["flags"])) {
      throw new GatelineError("answer_invalid", "The server's answer has no definitions.");
    }
    this.#take(body);
    this.#etag = etag;
    await keep(FORM, { etag, definitions: body }, this.options);
  }

  #take(definitions: Readonly<Record<string, unknown>>): void {
    const flags = compile(definitions);
    const before = this.#definitions;
    this.#definitions = definitions;
    this.#flags = flags;
    if (flags.problems.length > 0) {
      const first = flags.problems[0];
      const message = `${flags.problems.length} parts of the definitions cannot be used; the first: ${first?.pointer}: ${first?.detail}`;
      this.options.failed(new GatelineError("definitions_invalid", message, { problems: flags.problems }));
    }
    const keys = changedKeys(before, definitions);
    if (keys.length > 0) {
      this.options.changed(keys);
    }
  }
}

/** Says which flags are not as they were; if segments changed, every flag may be another one. */
function changedKeys(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): string[] {
  const [was, is] = [fieldsOf(before["flags"]), fieldsOf(after["flags"])];
  const keys = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  if (JSON.stringify(before["segments"] ?? {}) !== JSON.stringify(after["segments"] ?? {})) {
    return keys;
  }
  return keys.filter((key) => JSON.stringify(was[key]) !== JSON.stringify(is[key]));
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

function bare(etag: string): string {
  return etag.replace(/^W\//, "").replace(/^"|"$/g, "");
}
