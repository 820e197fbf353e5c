/** Measures evaluations: `npm run bench`; prints figures, asserts none. A thousand flags as in `cargo bench -p eval`. */

import { attributesOf } from "../src/context.js";
import { compile } from "../src/evaluation/compiling.js";
import { Gateline } from "../src/index.js";

const FLAGS = 1000;
const ROUNDS = 11;
const EACH = 100_000;
const NOW_MICROS = 1_795_000_000_000_000;

function flag(number: number): object {
  const all = [
    { attribute: "country", op: "in", values: ["DE", "FR", "AT"] },
    { attribute: "plan", op: "not_in", values: ["free"] },
    { attribute: "app_version", op: "semver_gte", values: ["2.1.0"] },
    { attribute: "age", op: "gte", values: ["18"] },
    { attribute: "email", op: "ends_with", values: ["@example.org", "@example.com"] },
  ];
  const split = { on: number % 100, off: 100 - (number % 100) };
  const rules = [{ when: { all }, split, by: "user_id" }];
  return { variants: { on: true, off: false }, off: "off", rules, otherwise: { serve: "off" } };
}

const fixed = { variants: { on: true, off: false }, off: "off", otherwise: { serve: "on" } };
const flags = Object.fromEntries(Array.from({ length: FLAGS }, (_, number) => [`feature-${number}`, flag(number)]));
const definitions = { flags: { ...flags, static: fixed } };

function context(user: number): Record<string, string | number> {
  const userId = `user-${String(user).padStart(8, "0")}`;
  return { userId, country: "FR", plan: "team", appVersion: "2.10.3", age: 34, email: "someone@example.com" };
}

/** Nanoseconds of one, the median of some rounds. */
async function measure(name: string, work: (place: number) => unknown): Promise<void> {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    for (let place = 0; place < EACH; place++) {
      const given = work(place);
      if (given instanceof Promise) {
        await given;
      }
    }
    rounds.push(((performance.now() - began) * 1e6) / EACH);
  }
  rounds.sort((one, other) => one - other);
  console.log(`| ${name} | ${Math.round(rounds[ROUNDS >> 1] ?? 0)} |`);
}

const engine = compile(definitions);
const subjects = Array.from({ length: 1000 }, (_, user) => ({
  attributes: attributesOf(context(user)),
  nowMicros: NOW_MICROS,
}));
const contexts = Array.from({ length: 1000 }, (_, user) => context(user));
const subjectAt = (place: number): (typeof subjects)[number] => subjects[place % 1000] ?? { attributes: new Map(), nowMicros: 0 };
const keyAt = (place: number): string => `feature-${(place * 7919) % FLAGS}`;
const gateline = new Gateline({
  url: "http://127.0.0.1:1",
  key: "none",
  bootstrap: definitions,
  streaming: false,
  exposures: "none",
  onError: () => undefined,
});
await gateline.ready();

console.log("| evaluation | ns |\n|---|---:|");
await measure("a flag that gives everybody the same, by the engine", (place) => engine.evaluate("static", subjectAt(place)));
await measure("five conditions and a split, by the engine", (place) => engine.evaluate(keyAt(place), subjectAt(place)));
await measure("the same by `peek`, with its context", (place) => gateline.peek(keyAt(place), false, contexts[place % 1000]));
await measure("the same by `await check`", (place) => gateline.check(keyAt(place), contexts[place % 1000]));
const started = performance.now();
compile(definitions);
console.log(`\nCompiling ${FLAGS} flags takes ${Math.round(performance.now() - started)} ms.`);
await gateline.close();
