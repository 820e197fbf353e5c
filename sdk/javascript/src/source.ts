/** Where evaluations come from: definitions that are evaluated here, or answers of the server. */

import type { Cache } from "./cache.js";
import type { Attributes } from "./context.js";
import { asGatelineError, GatelineError } from "./errors.js";
import type { Transport } from "./transport.js";
import type { Found } from "./types.js";

/** Says what somebody gets. */
export interface Source {
  /** Whether it can say what somebody gets, be it that there is no such flag. */
  isReadyFor(attributes: Attributes): boolean;
  /** Whether what it says is what the server would say now, as far as can be known. */
  isFreshFor(attributes: Attributes): boolean;
  /** Says what somebody gets of a flag, by what is known now. */
  evaluate(key: string, attributes: Attributes): Found | undefined;
  /** Says what somebody gets of all flags, by what is known now. */
  evaluateAll(attributes: Attributes): Found[];
  /** Takes what was kept, or given. */
  begin(): Promise<void>;
  /** Asks for what is missing for somebody; throws a `GatelineError` if that fails. */
  load(attributes: Attributes): Promise<void>;
  /** Asks whether something has changed; throws a `GatelineError` if that fails. */
  refresh(etag?: string): Promise<void>;
}

/** What sources share. */
export interface SourceOptions {
  readonly transport: Transport;
  readonly cache: Cache | undefined;
  readonly bootstrap: unknown;
  /** Is told what changed: the keys of flags. */
  readonly changed: (keys: readonly string[]) => void;
  readonly failed: (error: GatelineError) => void;
  /** How long an answer is taken for what the server would say now. */
  readonly freshMs: () => number;
}

/** What is kept: which form it has, and what the server said. */
interface Kept {
  readonly form: string;
  readonly said: unknown;
}

/** Reads what was kept; whatever is wrong with it is told. */
export async function readKept(form: string, { cache, failed }: SourceOptions): Promise<unknown> {
  try {
    const text = await cache?.read();
    const kept = text === undefined ? undefined : (JSON.parse(text) as Kept | null);
    return kept?.form === form ? kept.said : undefined;
  } catch (error) {
    failed(new GatelineError("copy_unusable", `What was kept cannot be read: ${String(error)}`, { cause: error }));
    return undefined;
  }
}

/** Keeps what the server said, for a start without it. */
export async function keep(form: string, said: unknown, { cache, failed }: SourceOptions): Promise<void> {
  try {
    await cache?.write(JSON.stringify({ form, said } satisfies Kept));
  } catch (error) {
    failed(new GatelineError("copy_unusable", `Definitions cannot be kept: ${asGatelineError(error).message}`));
  }
}
