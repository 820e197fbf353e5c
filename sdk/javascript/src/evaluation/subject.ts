import type { Value } from "./texts.js";

/** Whom or what an evaluation is about, and when it is asked. */
export interface Subject {
  /** What is known, by the names of the attributes. */
  readonly attributes: ReadonlyMap<string, Value>;
  /** The moment of the evaluation, in microseconds since 1970. */
  readonly nowMicros: number;
}
