/** What the providers for servers and for pages have in common. */

import { ErrorCode, type EvaluationContext, type EvaluationContextValue, type ResolutionDetails } from "@openfeature/core";

import { Gateline } from "../client.js";
import { attributeName, type Context, type ContextValue, TARGETING_KEY } from "../context.js";
import type { Options } from "../options.js";
import type { Details, DetailsError } from "../types.js";

export const NAME = "gateline";
/** Why a provider is in error. */
export const NOT_READY = "Gateline has not answered, and nothing was kept.";
const UNIT = "user_id";

const ERRORS: Readonly<Record<DetailsError, ErrorCode>> = {
  flag_not_found: ErrorCode.FLAG_NOT_FOUND,
  type_mismatch: ErrorCode.TYPE_MISMATCH,
  not_ready: ErrorCode.PROVIDER_NOT_READY,
  internal: ErrorCode.GENERAL,
};
/** OpenFeature's reasons; what ours say more stands in the metadata. */
const REASONS: Readonly<Record<string, string>> = {
  unit_missing: "DEFAULT",
  prerequisite_failed: "DISABLED",
};

/** A client, and whether it ends with the provider. */
export interface Owned {
  readonly client: Gateline;
  readonly isOwn: boolean;
}

/** Takes a client, or makes one. */
export function clientOf(given: Gateline | Options, usual: Partial<Options> = {}): Owned {
  return given instanceof Gateline
    ? { client: given, isOwn: false }
    : { client: new Gateline({ ...usual, ...given }), isOwn: true };
}

/** Reads a context as OFREP does: `targetingKey` is `user_id` as well, unless that is there too. */
export function contextOf(context: EvaluationContext): Context {
  const found = valueOf(context) as Record<string, ContextValue>;
  const hasUnit = Object.keys(found).some((name) => attributeName(name) === UNIT);
  return hasUnit ? found : { ...found, [UNIT]: found[TARGETING_KEY] };
}

function valueOf(value: EvaluationContextValue): ContextValue {
  if (typeof value !== "object" || value === null || value instanceof Date) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.filter((one) => typeof one === "string" || typeof one === "number" || typeof one === "boolean");
  }
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, valueOf(one)]));
}

/** Writes details as OpenFeature has them. */
export function resolutionOf<T>(details: Details<T>): ResolutionDetails<T> {
  const { value, variant, reason, rule, flagVersion, assignmentId, error } = details;
  if (error !== undefined) {
    return { value, reason: "ERROR", errorCode: ERRORS[error], errorMessage: `${details.key}: ${error}` };
  }
  return {
    value,
    reason: REASONS[reason] ?? reason.toUpperCase(),
    flagMetadata: {
      ...(flagVersion !== null && { flagVersion }),
      ...(rule !== null && { rule }),
      ...(assignmentId !== null && { assignmentId }),
      ...(reason in REASONS && { reason }),
    },
    ...(variant !== null && { variant }),
  };
}
