/**
 * Runs cases of JSONLogic as the crate `datalogic-rs` ships them against the engine here: `node jsonlogic.js FOLDER`. It
 * prints each case that fails, and the score. `tests/suites` fetches them. Its twin is `sdk/python/tests/jsonlogic.py`.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { apply, LogicError } from "../src/evaluation/logic.js";

/** The files with what flags need. */
const FILES = ["compatible.json", "flagd/fractional.json", "flagd/sem_ver.json"];

interface Case {
  description: string;
  rule: unknown;
  data?: unknown;
  /** Absent if it goes wrong. */
  result?: unknown;
}

/** Says what is wrong with a case, if something is. */
function wrong(one: Case): string | undefined {
  try {
    const found = apply(one.rule, one.data ?? null);
    assert.ok("result" in one, `${JSON.stringify(found)} in place of an error`);
    assert.deepEqual(found, one.result);
  } catch (error) {
    if (error instanceof LogicError && !("result" in one)) {
      return undefined;
    }
    return String(error).replaceAll("\n", " ");
  }
  return undefined;
}

const [, , folder = "."] = process.argv;
let [passed, failed] = [0, 0];
for (const file of FILES) {
  const all = JSON.parse(readFileSync(join(folder, file), "utf8")) as (Case | string)[];
  for (const one of all) {
    // Texts between the cases are headings.
    if (typeof one === "string") {
      continue;
    }
    const said = wrong(one);
    if (said === undefined) {
      passed++;
    } else {
      failed++;
      console.log(`failed: ${file}: ${one.description}: ${said}`);
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
