/** The values of a flag as they are typed. */
import { ProblemError } from "@gateline/api-client";
import { figure } from "@gateline/ui/figure.ts";
import { step } from "@gateline/ui/schema.ts";
import type { FlagType } from "./model";

/** A variant as it is typed. */
export interface VariantRow {
  name: string;
  text: string;
}

/** The variants of a boolean flag unless others were made with a program. */
export const USUAL: VariantRow[] = [
  { name: "on", text: "true" },
  { name: "off", text: "false" },
];

/** What the form of a new flag begins with. */
export const firstRows: Record<FlagType, VariantRow[]> = {
  boolean: USUAL,
  string: [
    { name: "off", text: "" },
    { name: "on", text: "" },
  ],
  number: [
    { name: "off", text: "0" },
    { name: "on", text: "" },
  ],
  json: [
    { name: "off", text: "{}" },
    { name: "on", text: "{}" },
  ],
};

/** Whether these are the usual variants of a boolean flag, which need no form. */
export const isUsual = (rows: VariantRow[]): boolean =>
  rows.length === 2 && USUAL.every((usual) => rows.some((row) => row.name === usual.name && row.text === usual.text));

/** Values as they are typed: texts as they are, everything else as JSON. */
export const typedOf = (variants: Record<string, unknown>, type: FlagType): VariantRow[] =>
  Object.entries(variants).map(([name, value]) => ({ name, text: type === "string" ? String(value) : JSON.stringify(value, null, type === "json" ? 2 : 0) }));

/** Where a variant's value stands in the request's body. */
export const pointerOf = (name: string): string => `/variants${step(name)}`;

/**
 * The values of the variants. A number that is none is sent as it was typed, so that the API says what is wrong with it.
 *
 * @throws ProblemError for a text that is no JSON, and for a name that is there twice: neither can be sent.
 */
export function valuesOf(rows: VariantRow[], type: FlagType): Record<string, unknown> {
  const wrong: { pointer: string; detail: string }[] = [];
  const values = new Map<string, unknown>();
  for (const { name, text } of rows) {
    if (values.has(name)) wrong.push({ pointer: pointerOf(name), detail: `There are two variants \`${name}\`.` });
    values.set(name, valueOf(text, type, (detail) => wrong.push({ pointer: pointerOf(name), detail })));
  }
  if (wrong.length > 0) throw problem(wrong);
  return Object.fromEntries(values);
}

/** A problem as the API tells it, of what cannot even be sent. */
export const problem = (wrong: { pointer: string; detail: string }[]): ProblemError =>
  new ProblemError({
    code: "request_invalid",
    title: "This cannot be sent",
    detail: wrong.map((each) => each.detail).join(" "),
    errors: wrong.map((each) => ({ code: "field_invalid", suggestion: "", ...each })),
  });

function valueOf(text: string, type: FlagType, wrong: (detail: string) => void): unknown {
  switch (type) {
    case "string":
      return text;
    case "boolean":
      return text === "true";
    case "number":
      return figure(text) ?? text;
    case "json":
      try {
        return JSON.parse(text) as unknown;
      } catch (error) {
        wrong(`This is not JSON: ${(error as Error).message}`);
        return undefined;
      }
  }
}
