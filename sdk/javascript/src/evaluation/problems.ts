/** Something that is wrong with definitions, and where. */
export interface Problem {
  /** The place, as a JSON Pointer (RFC 6901) into the definitions. */
  readonly pointer: string;
  /** A stable name of the reason. */
  readonly code: string;
  /** What is wrong, for people. */
  readonly detail: string;
}

/** What was found so far. */
export class Problems {
  readonly all: Problem[] = [];

  /** Notes one more. */
  add(pointer: string, code: string, detail: string): void {
    this.all.push({ pointer, code, detail });
  }
}

/** Writes a key as a part of a JSON Pointer. */
export function part(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
