/** What the SDK answers, and the types of flags. */

import type { Reason } from "./evaluation/flags.js";

/** A value of JSON. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** Why the default was given: the reason is `error` then, as it is where a flag's logic went wrong. */
export type DetailsError =
  /** There is no such flag, or not for this key. */
  | "flag_not_found"
  /** The flag's value is of another type than the default. */
  | "type_mismatch"
  /** Nothing came from the server yet, and nothing was kept. */
  | "not_ready"
  /** Something of this SDK failed. */
  | "internal";

/** What somebody gets of a flag, and why. */
export interface Details<T> {
  readonly key: string;
  readonly value: T;
  /** The value of a boolean flag; of others, whether the variant is another than that of `off`. */
  readonly enabled: boolean;
  /** `null` if the default was given. */
  readonly variant: string | null;
  readonly reason: Reason;
  /** The rule that was for them: its name, or its place from 1 as `#2`. */
  readonly rule: string | null;
  readonly flagVersion: number | null;
  /** The same for the same unit, flag, environment and variant, if the server evaluated it. */
  readonly assignmentId: string | null;
  readonly error?: DetailsError;
}

/** What a source of evaluations knows. */
export interface Found {
  readonly key: string;
  readonly enabled: boolean;
  readonly variant: string;
  readonly value: unknown;
  readonly reason: Reason;
  readonly rule: string | null;
  readonly flagVersion: number;
  readonly assignmentId?: string | null;
  /** The attribute that says which unit it is, if that decided. */
  readonly by?: string;
}

/** Flags of which nothing is said. */
export type AnyFlags = Record<string, any>;

/** The keys of those flags that have values of a type. */
export type KeysOf<F, T> = { [K in keyof F & string]: F[K] extends T ? K : never }[keyof F & string];

/** The type of a flag; of one of which nothing is said, what was asked for. */
export type TypeOf<F, K extends keyof F, T> = 0 extends 1 & F[K] ? T : F[K];
