/** Asks for flags. */

import { Backoff, startTimer } from "./backoff.js";
import { localStorageCache } from "./cache.js";
import { type Attributes, attributesOf, type Context } from "./context.js";
import { asGatelineError, GatelineError } from "./errors.js";
import { textOf } from "./evaluation/texts.js";
import { Exposures } from "./exposures.js";
import { LocalSource } from "./local.js";
import { type Options, type Settings, settingsOf } from "./options.js";
import { RemoteSource } from "./remote.js";
import type { Source, SourceOptions } from "./source.js";
import { Stream } from "./stream.js";
import { Transport } from "./transport.js";
import type { AnyFlags, Details, DetailsError, Found, JsonValue, KeysOf, TypeOf } from "./types.js";

/** How long an answer of the server holds while changes are heard of: rules may have a time of their own. */
const FRESH_MS = 300_000;

/** Pages ask anew within this time after a change, so that they do not all ask at once. */
const SPREAD_MS = 500;
const QUIET_MOST_MS = 30_000;

/** What does the work, if the options allow any. */
interface Parts {
  readonly source: Source;
  readonly exposures: Exposures;
  readonly stream: Stream | undefined;
}

/**
 * Asks for flags of one environment.
 *
 * Nothing here throws: where there is no answer, the default is given, and `onError` is told why. The type says which
 * flags there are: `Gateline<{"new-checkout": boolean; colour: "red" | "blue"}>`.
 */
export class Gateline<F extends object = AnyFlags> {
  readonly #settings: Settings;
  readonly #parts: Parts | undefined;
  readonly #begun: Promise<void>;
  readonly #listeners = new Set<(keys: readonly string[]) => void>();
  #context: Context;
  #poll: ReturnType<typeof setTimeout> | undefined;
  /** Until then nobody waits for the server: it did not answer. */
  #quietUntil = 0;
  readonly #quiet: Backoff;
  #isClosed = false;

  constructor(options: Options) {
    this.#settings = settingsOf(options);
    this.#quiet = new Backoff(this.#settings.backoffMs, QUIET_MOST_MS);
    this.#context = this.#settings.context;
    this.#parts = this.#make();
    this.#begun = this.#begin();
  }

  /** Whether a flag is on for somebody: the value of a boolean flag; of others, whether they get more than `off`. */
  async check<K extends keyof F & string>(key: K, context: Context = {}, otherwise = false): Promise<boolean> {
    const attributes = this.#attributes(context);
    await this.#load(attributes);
    const [found, error] = this.#find(key, attributes);
    this.#expose(found, attributes);
    return error === undefined && found ? found.enabled : otherwise;
  }

  /** Says the value of a flag whose values are texts. */
  async string<K extends KeysOf<F, string>>(
    key: K,
    otherwise: TypeOf<F, K, string>,
    context: Context = {},
  ): Promise<TypeOf<F, K, string>> {
    return (await this.details<TypeOf<F, K, string>>(key, otherwise, context)).value;
  }

  /** Says the value of a flag whose values are numbers. */
  async number<K extends KeysOf<F, number>>(
    key: K,
    otherwise: TypeOf<F, K, number>,
    context: Context = {},
  ): Promise<TypeOf<F, K, number>> {
    return (await this.details<TypeOf<F, K, number>>(key, otherwise, context)).value;
  }

  /** Says the value of a flag, whatever it is. */
  async json<K extends keyof F & string>(
    key: K,
    otherwise: TypeOf<F, K, JsonValue>,
    context: Context = {},
  ): Promise<TypeOf<F, K, JsonValue>> {
    const attributes = this.#attributes(context);
    await this.#load(attributes);
    const [found, error] = this.#find(key, attributes);
    this.#expose(found, attributes);
    return error === undefined && found ? (found.value as TypeOf<F, K, JsonValue>) : otherwise;
  }

  /** Says what somebody gets of a flag and why. A value of another type than the default's is not given. */
  async details<T extends JsonValue | F[keyof F]>(
    key: keyof F & string,
    otherwise: T,
    context: Context = {},
  ): Promise<Details<T>> {
    const attributes = this.#attributes(context);
    await this.#load(attributes);
    const details = this.#details(key, otherwise, attributes);
    if (details.error === undefined) {
      this.#expose(this.#find(key, attributes)[0], attributes);
    }
    return details;
  }

  /** Says the same by what is there now, without waiting and without telling an exposure: to draw a page with. */
  peek<T extends JsonValue | F[keyof F]>(key: keyof F & string, otherwise: T, context: Context = {}): Details<T> {
    return this.#details(key, otherwise, this.#attributes(context));
  }

  /** Says what somebody gets of all flags; no exposure is told. */
  async all(context: Context = {}): Promise<Record<string, Details<JsonValue>>> {
    const attributes = this.#attributes(context);
    await this.#load(attributes);
    const found = this.#safely(() => this.#parts?.source.evaluateAll(attributes)) ?? [];
    return Object.fromEntries(found.map((one) => [one.key, detailsOf(one, one.value as JsonValue)]));
  }

  /** Tells that somebody got what `peek` says. */
  expose(key: keyof F & string, context: Context = {}): void {
    const attributes = this.#attributes(context);
    this.#expose(this.#find(key, attributes)[0], attributes);
  }

  /** Says who is asked about from now on, if a question does not; resolves once that can be answered. */
  async identify(context: Context): Promise<void> {
    this.#context = context;
    await this.#load(this.#attributes({}));
  }

  /** Whether there is an answer of the server, or what was kept of one; waits for it as long as a question does. */
  async ready(context: Context = {}): Promise<boolean> {
    const attributes = this.#attributes(context);
    await this.#load(attributes);
    return this.#parts?.source.isReadyFor(attributes) ?? false;
  }

  /** Calls whenever flags change, with their keys; says how to end that. */
  onChange(listener: (keys: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Sends exposures that wait. */
  async flush(): Promise<void> {
    await this.#parts?.exposures.flush();
  }

  /** Sends exposures that wait, and ends all connections. What was learnt so far still answers. */
  async close(): Promise<void> {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    clearTimeout(this.#poll);
    this.#listen("removeEventListener");
    this.#parts?.stream?.close();
    await this.#parts?.exposures.close();
  }

  #make(): Parts | undefined {
    const settings = this.#settings;
    try {
      const transport = new Transport(settings.url, settings.key, settings.timeoutMs);
      const kept = settings.isBrowser ? localStorageCache(settings.url, settings.key) : undefined;
      const options: SourceOptions = {
        transport,
        cache: settings.cache === false ? undefined : (settings.cache ?? kept),
        bootstrap: settings.bootstrap,
        changed: (keys) => this.#changed(keys),
        failed: (error) => this.#failed(error),
        freshMs: () => (stream?.isOpen ? FRESH_MS : settings.pollMs),
      };
      const source = settings.evaluation === "local" ? new LocalSource(options) : new RemoteSource(options);
      const spread = settings.isBrowser ? SPREAD_MS : 0;
      const listener = {
        changed: (etag: string | undefined) => {
          startTimer(() => this.#refresh(source, etag), Math.random() * spread);
        },
        failed: (error: GatelineError) => this.#failed(error),
      };
      const stream = settings.streaming ? new Stream(transport, listener, settings) : undefined;
      const times = { ...settings, windowMs: settings.exposureWindowMs };
      const eventsUrl = settings.eventsUrl ?? settings.url;
      const events = new Transport(eventsUrl, settings.key, settings.timeoutMs);
      const exposures = new Exposures(events, times, (error) => this.#failed(error));
      return { source, exposures, stream };
    } catch (error) {
      this.#failed(asGatelineError(error));
      return undefined;
    }
  }

  async #begin(): Promise<void> {
    const parts = this.#parts;
    if (!parts) {
      return;
    }
    await parts.source.begin().catch((error: unknown) => this.#failed(asGatelineError(error)));
    if (this.#isClosed) {
      return;
    }
    void parts.stream?.run();
    this.#listen("addEventListener");
    this.#planPoll(parts);
    // What was kept answers at once, and is looked after meanwhile; the stream's first word does that, too.
    if (parts.source.isReadyFor(attributesOf({})) && !parts.stream) {
      this.#refresh(parts.source);
    }
  }

  /** Exposures are sent when the page is hidden: it may never be shown again. */
  #listen(what: "addEventListener" | "removeEventListener"): void {
    if (this.#settings.isBrowser) {
      document[what]("visibilitychange", this.#hidden);
      globalThis[what]?.("pagehide", this.#hidden);
    }
  }

  readonly #hidden = (event: Event): void => {
    if (event.type === "pagehide" || document.visibilityState === "hidden") {
      this.#parts?.exposures.flushBeforeHiding();
    }
  };

  #planPoll(parts: Parts): void {
    const wait = this.#settings.pollMs * (0.9 + Math.random() / 5);
    this.#poll = startTimer(() => {
      if (!parts.stream?.isOpen) {
        this.#refresh(parts.source);
      }
      this.#planPoll(parts);
    }, wait);
  }

  #refresh(source: Source, etag?: string): void {
    source.refresh(etag).then(
      () => this.#answered(),
      (error: unknown) => this.#failed(asGatelineError(error)),
    );
  }

  #attributes(context: Context): Attributes {
    return this.#safely(() => attributesOf({ ...this.#context, ...context })) ?? new Map();
  }

  /** Waits until there is an answer for somebody, but not for long. */
  async #load(attributes: Attributes): Promise<void> {
    const parts = this.#parts;
    if (!parts || parts.source.isFreshFor(attributes) || Date.now() < this.#quietUntil || this.#isClosed) {
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const { timeoutMs } = this.#settings;
    const late = new Promise<never>((_, reject) => {
      const error = new GatelineError("unreachable", `There is no answer within ${timeoutMs} ms.`);
      timer = setTimeout(() => reject(error), timeoutMs);
    });
    try {
      await Promise.race([this.#begun.then(() => parts.source.load(attributes)), late]);
      this.#answered();
    } catch (error) {
      this.#unanswered(asGatelineError(error));
    } finally {
      clearTimeout(timer);
    }
  }

  #answered(): void {
    this.#quiet.reset();
    this.#quietUntil = 0;
  }

  /** Lets nobody wait for a while, unless it was about one question alone. */
  #unanswered(error: GatelineError): void {
    const { status = 0 } = error;
    if (status < 400 || status >= 500 || [401, 403, 429].includes(status)) {
      this.#quietUntil = Date.now() + this.#quiet.next(error.retryAfterMs);
    }
    this.#failed(error);
  }

  #find(key: string, attributes: Attributes): readonly [Found | undefined, DetailsError | undefined] {
    const source = this.#parts?.source;
    if (!source?.isReadyFor(attributes)) {
      return [undefined, "not_ready"];
    }
    try {
      const found = source.evaluate(key, attributes);
      return [found, found ? undefined : "flag_not_found"];
    } catch (error) {
      this.#failed(asGatelineError(error));
      return [undefined, "internal"];
    }
  }

  #details<T>(key: string, otherwise: T, attributes: Attributes): Details<T> {
    const [found, error] = this.#find(key, attributes);
    if (!found || error !== undefined) {
      return defaultOf(key, otherwise, error ?? "internal");
    }
    if (typeof found.value !== typeof otherwise) {
      return defaultOf(key, otherwise, "type_mismatch");
    }
    return detailsOf(found, found.value as T);
  }

  #expose(found: Found | undefined, attributes: Attributes): void {
    const { exposures, exposureAttributes, unit } = this.#settings;
    if (!found || exposures === "none" || (exposures === "split" && found.reason !== "split")) {
      return;
    }
    const by = found.by ?? unit;
    const known = attributes.get(by);
    const who = known === undefined ? undefined : textOf(known);
    // An empty text may be a unit of a split, but nobody's name.
    if (who === undefined || who === "") {
      return;
    }
    const told = exposureAttributes.filter((name) => attributes.has(name)).map((name) => [name, attributes.get(name)]);
    this.#safely(() =>
      this.#parts?.exposures.add({
        flag: found.key,
        variant: found.variant,
        flag_version: found.flagVersion,
        by,
        unit: who,
        ...(told.length > 0 && { attributes: Object.fromEntries(told) }),
      }),
    );
  }

  #changed(keys: readonly string[]): void {
    for (const listener of this.#listeners) {
      this.#safely(() => listener(keys));
    }
  }

  /** Does something of which nobody must know if it fails. */
  #safely<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#failed(asGatelineError(error));
      return undefined;
    }
  }

  #failed(error: GatelineError): void {
    try {
      this.#settings.onError(error);
    } catch {
      // Whoever is told cannot be told that being told failed.
    }
  }
}

function defaultOf<T>(key: string, value: T, error: DetailsError): Details<T> {
  const nothing = { variant: null, rule: null, flagVersion: null, assignmentId: null };
  return { key, value, enabled: value === true, reason: "error", error, ...nothing };
}

function detailsOf<T>(found: Found, value: T): Details<T> {
  const { key, enabled, variant, reason, rule, flagVersion, assignmentId = null } = found;
  return { key, value, enabled, variant, reason, rule, flagVersion, assignmentId };
}
