/**
 * Reads parts of definitions, and notes what is not of the form that they must have.
 *
 * What is not known here is refused: an answer that leaves out a part of what somebody wrote down would be a wrong one.
 */

import type { Problems } from "./problems.js";

export const CODE = "definition_invalid";

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A JSON object of a definition, and its place. */
export class Part {
  readonly #fields: Fields;

  /** Takes an object in; with `known`, it may have these fields and no others. */
  constructor(
    source: unknown,
    readonly pointer: string,
    known: readonly string[] | undefined,
    readonly problems: Problems,
  ) {
    this.#fields = isObject(source) ? source : {};
    if (!isObject(source)) {
      this.wrong("", CODE, "It is no object.");
    }
    for (const name of Object.keys(this.#fields)) {
      if (known && !known.includes(name)) {
        this.wrong(`/${name}`, CODE, `\`${name}\` is not known here; a newer version may know it.`);
      }
    }
  }

  /** Notes what is wrong at a place of it. */
  wrong(place: string, code: string, detail: string): void {
    this.problems.add(this.pointer + place, code, detail);
  }

  /** Says what a field holds; `null` is nothing. */
  field(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? undefined) : undefined;
  }

  /** Says a text that must be there. */
  text(name: string): string {
    const found = this.field(name);
    if (typeof found !== "string") {
      this.wrong(`/${name}`, CODE, `\`${name}\` must be a text.`);
      return "";
    }
    return found;
  }

  /** Says a text that may be there. */
  textIfAny(name: string): string | undefined {
    return this.field(name) === undefined ? undefined : this.text(name);
  }

  /** Says a boolean, or what it is if it is not there. */
  boolean(name: string, otherwise: boolean): boolean {
    const found = this.field(name) ?? otherwise;
    if (typeof found !== "boolean") {
      this.wrong(`/${name}`, CODE, `\`${name}\` must be true or false.`);
      return otherwise;
    }
    return found;
  }

  /** Says a list, which is empty if it is not there. */
  list(name: string): readonly unknown[] {
    const found = this.field(name) ?? [];
    if (!Array.isArray(found)) {
      this.wrong(`/${name}`, CODE, `\`${name}\` must be a list.`);
      return [];
    }
    return found;
  }

  /** Says a list of texts. */
  texts(name: string): readonly string[] {
    const found = this.list(name);
    const wrong = found.findIndex((one) => typeof one !== "string");
    if (wrong >= 0) {
      this.wrong(`/${name}/${wrong}`, CODE, "It must be a text.");
      return [];
    }
    return found as readonly string[];
  }

  /** Says an object, which is empty if it is not there. */
  object(name: string): Fields {
    const found = this.field(name) ?? {};
    if (!isObject(found)) {
      this.wrong(`/${name}`, CODE, `\`${name}\` must be an object.`);
      return {};
    }
    return found;
  }
}
