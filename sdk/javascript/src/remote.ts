/** Lets the server evaluate, and remembers what it said of whom: for client keys. */

import { fingerprint } from "./cache.js";
import { type Attributes, textOfAttributes } from "./context.js";
import { GatelineError } from "./errors.js";
import type { Reason } from "./evaluation/flags.js";
import { isObject } from "./evaluation/reading.js";
import { keep, readKept, type Source, type SourceOptions } from "./source.js";
import type { Found } from "./types.js";

const PATH = "feature-flags/evaluate";
const FORM = "evaluations/1";
/** Of how many the answers are remembered. */
const REMEMBERED_MAX = 100;
/** Of how many the answers are asked for again when flags change, or are kept for a next start. */
const RECENT_MAX = 5;

/** What the server said of somebody. */
interface Said {
  readonly flags: ReadonlyMap<string, Found>;
  readonly etag: string | undefined;
  /** Until when it is taken for what the server would say now. */
  freshUntil: number;
  readonly attributes: Attributes | undefined;
}

/** Answers of the server, by whom they are about. */
export class RemoteSource implements Source {
  /** Those who were asked about last come last. */
  readonly #said = new Map<string, Said>();
  readonly #asking = new Map<string, Promise<void>>();
  #bootstrap: ReadonlyMap<string, Found> | undefined;
  #seenEtag: string | undefined;

  constructor(private readonly options: SourceOptions) {}

  isReadyFor(attributes: Attributes): boolean {
    return this.#bootstrap !== undefined || this.#said.has(nameOf(attributes));
  }

  isFreshFor(attributes: Attributes): boolean {
    return (this.#said.get(nameOf(attributes))?.freshUntil ?? 0) > Date.now();
  }

  evaluate(key: string, attributes: Attributes): Found | undefined {
    return this.#flagsOf(attributes)?.get(key);
  }

  evaluateAll(attributes: Attributes): Found[] {
    return [...(this.#flagsOf(attributes)?.values() ?? [])];
  }

  #flagsOf(attributes: Attributes): ReadonlyMap<string, Found> | undefined {
    return this.#said.get(nameOf(attributes))?.flags ?? this.#bootstrap;
  }

  async begin(): Promise<void> {
    const { bootstrap, failed } = this.options;
    if (bootstrap !== undefined) {
      this.#bootstrap = flagsOf(bootstrap);
      if (!this.#bootstrap) {
        const message = "The bootstrap has no evaluations, as POST /api/v1/feature-flags/evaluate answers them.";
        failed(new GatelineError("copy_unusable", message));
      }
    }
    const kept = await readKept(FORM, this.options);
    for (const one of Array.isArray(kept) ? kept : []) {
      const flags = isObject(one) ? flagsOf(one["answer"]) : undefined;
      if (isObject(one) && flags && typeof one["of"] === "string" && !this.#said.has(one["of"])) {
        this.#said.set(one["of"], { flags, etag: undefined, freshUntil: 0, attributes: undefined });
      }
    }
  }

  async load(attributes: Attributes): Promise<void> {
    const name = nameOf(attributes);
    const said = this.#said.get(name);
    if (said) {
      this.#said.delete(name);
      this.#said.set(name, { ...said, attributes });
    }
    if (!said || said.freshUntil <= Date.now()) {
      await this.#ask(name, attributes);
    }
  }

  async refresh(etag?: string): Promise<void> {
    if (etag !== undefined && etag === this.#seenEtag) {
      return;
    }
    this.#seenEtag = etag ?? this.#seenEtag;
    const recent = [...this.#said].slice(-RECENT_MAX);
    for (const said of this.#said.values()) {
      said.freshUntil = 0;
    }
    const asked = recent.flatMap(([name, { attributes }]) => (attributes ? [this.#askAnew(name, attributes)] : []));
    const failed = (await Promise.allSettled(asked)).find((result) => result.status === "rejected");
    if (failed) {
      throw failed.reason;
    }
  }

  /** Asks once more, if an answer is on its way that may be too old. */
  async #askAnew(name: string, attributes: Attributes): Promise<void> {
    await this.#asking.get(name)?.catch(() => undefined);
    await this.#ask(name, attributes);
  }

  #ask(name: string, attributes: Attributes): Promise<void> {
    const asking = this.#asking.get(name);
    if (asking) {
      return asking;
    }
    const answer = this.#call(name, attributes).finally(() => this.#asking.delete(name));
    this.#asking.set(name, answer);
    return answer;
  }

  async #call(name: string, attributes: Attributes): Promise<void> {
    const before = this.#said.get(name);
    const body = { attributes: Object.fromEntries(attributes) };
    const answer = await this.options.transport.call(PATH, { body, etag: before?.etag });
    const freshUntil = Date.now() + this.options.freshMs();
    if (!answer.isNew && before) {
      before.freshUntil = freshUntil;
      return;
    }
    const flags = answer.isNew ? flagsOf(answer.body) : undefined;
    if (!answer.isNew || !flags) {
      throw new GatelineError("answer_invalid", "The server's answer has no evaluations.");
    }
    this.#said.delete(name);
    this.#said.set(name, { flags, etag: answer.etag, freshUntil, attributes });
    for (const [oldest] of this.#said) {
      if (this.#said.size <= REMEMBERED_MAX) {
        break;
      }
      this.#said.delete(oldest);
    }
    const keys = changedKeys(before?.flags ?? this.#bootstrap ?? new Map(), flags);
    if (keys.length > 0) {
      this.options.changed(keys);
    }
    await this.#keep();
  }

  async #keep(): Promise<void> {
    if (!this.options.cache) {
      return;
    }
    const recent = [...this.#said].slice(-RECENT_MAX);
    const said = recent.map(([of, { flags }]) => ({ of, answer: { flags: [...flags.values()].map(asAnswered) } }));
    await keep(FORM, said, this.options);
  }
}

const names = new WeakMap<Attributes, string>();

/** Names somebody; what is kept in a browser does not tell who it was. */
function nameOf(attributes: Attributes): string {
  let name = names.get(attributes);
  if (name === undefined) {
    name = fingerprint(textOfAttributes(attributes));
    names.set(attributes, name);
  }
  return name;
}

function changedKeys(before: ReadonlyMap<string, Found>, after: ReadonlyMap<string, Found>): string[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  return keys.filter((key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)));
}

/** Reads what the server says of all flags; nothing if it is something else. */
function flagsOf(body: unknown): ReadonlyMap<string, Found> | undefined {
  const list = isObject(body) ? body["flags"] : undefined;
  if (!Array.isArray(list)) {
    return undefined;
  }
  return new Map(list.flatMap((one) => foundOf(one) ?? []).map((found) => [found.key, found]));
}

function foundOf(said: unknown): Found | undefined {
  if (!isObject(said) || typeof said["key"] !== "string" || typeof said["variant"] !== "string") {
    return undefined;
  }
  const { key, variant, value, enabled, reason, rule, by, flag_version: version, assignment_id: assignment } = said;
  return {
    key,
    variant,
    value,
    enabled: enabled === true,
    reason: String(reason) as Reason,
    rule: typeof rule === "string" ? rule : null,
    flagVersion: typeof version === "number" ? version : 0,
    assignmentId: typeof assignment === "string" ? assignment : null,
    ...(typeof by === "string" && { by }),
  };
}

/** Writes it as the server says it. */
function asAnswered({ flagVersion, assignmentId, ...found }: Found): object {
  return { ...found, flag_version: flagVersion, assignment_id: assignmentId };
}
