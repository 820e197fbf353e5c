/**
 * Compiles definitions, as the server sends them, into flags that can be asked.
 *
 * A flag that cannot be evaluated here is left out with a problem, and so is what needs it: others are not touched.
 */

import { Bucketing, firstHash, Shares, WHOLE } from "./bucketing.js";
import { findCircles } from "./circles.js";
import { Compiler, type Fits } from "./conditions.js";
import { type Flag, Flags, type Gate, has, hashIn, type Outcome, type Rule, type Units } from "./flags.js";
import { moment } from "./moments.js";
import { part as pointerPart, Problems } from "./problems.js";
import { CODE, type Fields, isObject, Part } from "./reading.js";
import { Rollout, type Step } from "./rollout.js";
import type { Subject } from "./subject.js";

const PARTS = 1000;
const FLAG = ["type", "version", "variants", "enabled", "off", "prerequisites", "overrides", "rules", "otherwise"];
const OUTCOME = ["serve", "split", "rollout", "by", "or_by"];
const RULE = ["name", "when", "from", "until", "gates", "sticky", "kept", ...OUTCOME];
const ROLLOUT = ["serve", "others", "start", "steps", "smooth"];
const STEPS_MAX = 50;
const KEPT_MAX = 20;
const encoder = new TextEncoder();

type Segments = Map<string, Fits | undefined>;

/** Compiles definitions; what is wrong with some of the flags is in `problems` of the answer. */
export function compile(definitions: unknown): Flags {
  const problems = new Problems();
  // What an answer says beside flags and segments does not change who gets what.
  const whole = new Part(definitions, "", undefined, problems);
  const [segments, unusable] = compileSegments(whole.object("segments"), problems);
  const sources = whole.object("flags");
  const makers = new Map(sorted(sources).map((key) => [key, new Maker(key, sources, segments)]));
  const good = new Map<string, Flag>();
  for (const [key, maker] of makers) {
    const flag = maker.flag();
    maker.noteUnusable(unusable);
    if (maker.problems.all.length === 0) {
      good.set(key, flag);
    }
  }
  const needing = [...good.values()].filter((flag) => flag.prerequisites.length > 0);
  const ways = new Map(needing.map(({ key, prerequisites }) => [key, prerequisites.map((needed) => needed.flag)]));
  for (const [key, [code, detail]] of findCircles(ways)) {
    makers.get(key)?.source.wrong("/prerequisites", code, detail);
    good.delete(key);
  }
  leaveOut(good, makers);
  return new Flags(good, [...problems.all, ...[...makers.values()].flatMap((maker) => maker.problems.all)]);
}

/** Leaves out what needs a flag that is left out, until all that is left can be asked. */
function leaveOut(good: Map<string, Flag>, makers: ReadonlyMap<string, Maker>): void {
  for (let before = -1; before !== good.size; ) {
    before = good.size;
    for (const { key, prerequisites } of [...good.values()]) {
      for (const [place, needed] of prerequisites.entries()) {
        if (!good.has(needed.flag)) {
          const detail = `The flag \`${needed.flag}\` cannot be evaluated here.`;
          makers.get(key)?.source.wrong(`/prerequisites/${place}/flag`, "flag_unusable", detail);
          good.delete(key);
        }
      }
    }
  }
}

/** Compiles segments, and says which of them are of no use. */
function compileSegments(sources: Fields, problems: Problems): [Segments, Set<string>] {
  const segments: Segments = new Map(Object.keys(sources).map((key) => [key, undefined]));
  const ways = new Map<string, string[]>();
  const unusable = new Set<string>();
  for (const key of sorted(sources)) {
    const pointer = `/segments/${pointerPart(key)}`;
    const own = new Problems();
    const compiler = new Compiler(segments, own);
    const segment = new Part(sources[key], pointer, ["when"], own);
    segments.set(key, compiler.condition(segment.field("when"), `${pointer}/when`));
    ways.set(
      key,
      compiler.named.map(([name]) => name),
    );
    if (own.all.length > 0) {
      unusable.add(key);
    }
    problems.all.push(...own.all);
  }
  for (const [key, [code, detail]] of findCircles(new Map([...ways].filter(([, to]) => to.length > 0)))) {
    problems.add(`/segments/${pointerPart(key)}/when`, code, detail);
    unusable.add(key);
  }
  for (let before = -1; before !== unusable.size; ) {
    before = unusable.size;
    for (const [key, to] of ways) {
      if (to.some((name) => unusable.has(name))) {
        unusable.add(key);
      }
    }
  }
  return [segments, unusable];
}

/** Makes one flag. */
class Maker {
  readonly problems = new Problems();
  readonly source: Part;
  readonly #compiler: Compiler;
  readonly #variants: Fields;
  /** In the order of their bytes. */
  readonly #names: readonly string[];

  constructor(
    readonly key: string,
    readonly sources: Fields,
    segments: Segments,
  ) {
    this.#compiler = new Compiler(segments, this.problems);
    this.source = new Part(sources[key], `/flags/${pointerPart(key)}`, FLAG, this.problems);
    this.#variants = this.source.object("variants");
    this.#names = sorted(this.#variants);
  }

  /** Notes which of the segments that it names are of no use. */
  noteUnusable(segments: ReadonlySet<string>): void {
    for (const [name, pointer] of this.#compiler.named) {
      if (segments.has(name)) {
        this.problems.add(pointer, "segment_unusable", `The segment \`${name}\` cannot be evaluated here.`);
      }
    }
  }

  flag(): Flag {
    const { source } = this;
    const values = Object.values(this.#variants);
    if (values.length === 0) {
      source.wrong("/variants", "variants_missing", "A flag has at least one variant.");
    }
    const version = source.field("version") ?? 0;
    const isWhole = typeof version === "number" && Number.isInteger(version) && version >= 0;
    if (!isWhole) {
      source.wrong("/version", CODE, "`version` must be a whole number.");
    }
    const type = source.textIfAny("type");
    return {
      key: this.key,
      version: isWhole ? version : 0,
      isBoolean: type === undefined ? values.every((value) => typeof value === "boolean") : type === "boolean",
      enabled: source.boolean("enabled", true),
      variants: this.#names.map((name) => ({ name, value: this.#variants[name] })),
      off: this.#variant(source.text("off"), "/off"),
      prerequisites: source.list("prerequisites").map((needed, place) => this.#prerequisite(needed, place)),
      overrides: source.list("overrides").map((one, place) => this.#override(one, place)),
      rules: source.list("rules").map((rule, place) => this.#rule(rule, place)),
      otherwise: this.#outcome(this.#part(source.field("otherwise"), "/otherwise", OUTCOME), "/otherwise"),
      bucketing: new Bucketing(this.key),
    };
  }

  #part(source: unknown, place: string, known: readonly string[]): Part {
    return new Part(source, this.source.pointer + place, known, this.problems);
  }

  #variant(name: string, place: string): number {
    const found = this.#names.indexOf(name);
    if (found < 0) {
      this.source.wrong(place, "variant_unknown", `The flag has no variant \`${name}\`.`);
    }
    return Math.max(found, 0);
  }

  #prerequisite(source: unknown, place: number): Flag["prerequisites"][number] {
    const at = `/prerequisites/${place}`;
    const part = this.#part(source, at, ["flag", "variants"]);
    const [flag, variants] = [part.text("flag"), part.texts("variants")];
    const other = Object.hasOwn(this.sources, flag) ? this.sources[flag] : undefined;
    if (!isObject(other)) {
      part.wrong("/flag", "flag_unknown", `There is no flag \`${flag}\`.`);
      return { flag, variants: new Set() };
    }
    const known = isObject(other["variants"]) ? other["variants"] : {};
    for (const [number, name] of variants.entries()) {
      if (!Object.hasOwn(known, name)) {
        part.wrong(`/variants/${number}`, "variant_unknown", `The flag \`${flag}\` has no variant \`${name}\`.`);
      }
    }
    return { flag, variants: new Set(variants) };
  }

  #override(source: unknown, place: number): Flag["overrides"][number] {
    const at = `/overrides/${place}`;
    const part = this.#part(source, at, ["by", "values", "serve"]);
    const values = new Set(part.texts("values"));
    return { by: part.text("by"), values, variant: this.#variant(part.text("serve"), `${at}/serve`) };
  }

  #rule(source: unknown, place: number): Rule {
    const at = `/rules/${place}`;
    const rule = this.#part(source, at, RULE);
    const when = rule.field("when");
    const from = this.#moment(rule, "from", Number.NEGATIVE_INFINITY);
    const until = this.#moment(rule, "until", Number.POSITIVE_INFINITY);
    if (from >= until) {
      rule.wrong("/until", "out_of_range", "It ends before it begins.");
    }
    const gates = rule.list("gates").map((gate, number) => this.#gate(gate, `${at}/gates/${number}`));
    return {
      name: rule.textIfAny("name"),
      when: when === undefined ? undefined : this.#compiler.condition(when, `${rule.pointer}/when`),
      window: [from, until],
      gates,
      outcome: this.#kept(rule, gates[0], this.#outcome(rule, at)),
    };
  }

  #moment(rule: Part, name: string, otherwise: number): number {
    return rule.field(name) === undefined ? otherwise : (this.#momentThere(rule, name) ?? otherwise);
  }

  #momentThere(part: Part, name: string): number | undefined {
    const text = part.text(name);
    const found = moment(text);
    if (found === undefined && typeof part.field(name) === "string") {
      part.wrong(`/${name}`, "value_invalid", `\`${text}\` is not a moment, as \`2026-11-22T10:00:00Z\`.`);
    }
    return found;
  }

  #gate(source: unknown, at: string): Gate {
    const gate = this.#part(source, at, ["key", "by", "or_by", "parts"]);
    const parts = this.#parts(gate);
    return { bucketing: new Bucketing(gate.text("key")), by: [gate.text("by"), ...gate.texts("or_by")], parts };
  }

  /** Reads parts of all units: first and last hash of each. */
  #parts(source: Part): Gate["parts"] {
    const parts: [number, number][] = [];
    for (const [number, ends] of source.list("parts").entries()) {
      const [first, last] = Array.isArray(ends) && ends.length === 2 ? ends.map(thousandths) : [];
      if (first === undefined || last === undefined || first > last) {
        const detail = `${JSON.stringify(ends)} is no part of 0 to 100 in steps of 0.001.`;
        source.wrong(`/parts/${number}`, "out_of_range", detail);
      } else {
        parts.push([firstHash(first), firstHash(last)]);
      }
    }
    return parts;
  }

  #outcome(source: Part, place: string): Outcome {
    const [serve, first, others] = [source.textIfAny("serve"), source.textIfAny("by"), source.texts("or_by")];
    const [split, rollout] = [source.field("split"), source.field("rollout")];
    const said = [serve, split, rollout].filter((one) => one !== undefined).length;
    if (serve !== undefined && said === 1 && first === undefined && others.length === 0) {
      return { serve: this.#variant(serve, `${place}/serve`) };
    }
    if (serve === undefined && said === 1 && first !== undefined) {
      const by: Units = [first, ...others];
      if (split === undefined) {
        const schedule = this.#rollout(rollout, `${place}/rollout`);
        return { place: (hash, { nowMicros }) => schedule.place(hash, nowMicros), by };
      }
      const shares = this.#shares(source.object("split"), `${place}/split`);
      return shares ? { place: (hash) => shares.place(hash), by } : { serve: 0 };
    }
    source.wrong("", "outcome_invalid", "It says either `serve`, or one of `split` and `rollout` with `by`.");
    return { serve: 0 };
  }

  /** Makes a share that grows. */
  #rollout(source: unknown, at: string): Rollout {
    const part = this.#part(source, at, ROLLOUT);
    const [serve, others] = [part.text("serve"), part.text("others")];
    const places = [this.#variant(serve, `${at}/serve`), this.#variant(others, `${at}/others`)] as const;
    if (serve === others) {
      part.wrong("/others", "outcome_invalid", "The share gets what all others get; nothing would ever change.");
    }
    const start = this.#percent(part, "start", 0);
    const sources = part.list("steps");
    if (sources.length < 1 || sources.length > STEPS_MAX) {
      part.wrong("/steps", "steps_count", `There are ${sources.length} steps; it has 1 to ${STEPS_MAX}.`);
    }
    const steps: Step[] = [];
    for (const [number, source] of sources.entries()) {
      const step = this.#part(source, `${at}/steps/${number}`, ["at", "percent"]);
      const [share, moment] = [this.#percent(step, "percent"), this.#momentThere(step, "at")];
      if (moment === undefined) {
        continue;
      }
      if ((steps.at(-1)?.[0] ?? Number.NEGATIVE_INFINITY) >= moment) {
        step.wrong("/at", "out_of_range", "It does not come after the step before it.");
      }
      steps.push([moment, share]);
    }
    return new Rollout(...places, start, steps, part.boolean("smooth", false));
  }

  /** Reads a percentage in thousandths of a percent. */
  #percent(part: Part, name: string, otherwise?: number): number {
    const said = part.field(name) ?? otherwise;
    const found = thousandths(said);
    if (found === undefined) {
      part.wrong(`/${name}`, "out_of_range", `${JSON.stringify(said)} is not from 0 to 100 in steps of 0.001.`);
    }
    return found ?? 0;
  }

  /** Adds what some keep of a rule's earlier splits. */
  #kept(rule: Part, gate: Gate | undefined, outcome: Outcome): Outcome {
    const sources = rule.list("kept");
    for (const [name, isSaid] of [["sticky", rule.boolean("sticky", false)], ["kept", sources.length > 0]] as const) {
      if (isSaid && (!gate || rule.field("split") === undefined)) {
        const detail = "It needs a `split`, and a gate that says who has been let pass: those keep what they have.";
        rule.wrong(`/${name}`, "outcome_invalid", detail);
      }
    }
    if (sources.length > KEPT_MAX) {
      rule.wrong("/kept", "kept_count", `There are ${sources.length} earlier splits; at most ${KEPT_MAX} are kept.`);
    }
    if (!gate || sources.length === 0 || !("place" in outcome)) {
      return outcome;
    }
    const at = rule.pointer.slice(this.source.pointer.length);
    const earlier = sources.map((source, number) => {
      const kept = this.#part(source, `${at}/kept/${number}`, ["parts", "split"]);
      return [this.#parts(kept), this.#shares(kept.object("split"), `${at}/kept/${number}/split`)] as const;
    });
    const place = (hash: number, subject: Subject): number => {
      const own = hashIn(gate, subject);
      const [, shares] = earlier.find(([parts]) => own !== undefined && has(parts, own)) ?? [];
      return shares ? shares.place(hash) : outcome.place(hash, subject);
    };
    return { place, by: outcome.by };
  }

  #shares(split: Fields, place: string): Shares | undefined {
    const weights = this.#names.map(() => 0);
    for (const name of sorted(split)) {
      const at = `${place}/${pointerPart(name)}`;
      const variant = this.#variant(name, at);
      const weight = thousandths(split[name]);
      if (weight === undefined) {
        const detail = `${JSON.stringify(split[name])} is not from 0 to 100 in steps of 0.001.`;
        this.source.wrong(at, "out_of_range", detail);
        return undefined;
      }
      weights[variant] = weight;
    }
    const sum = weights.reduce((all, weight) => all + weight, 0);
    if (sum !== WHOLE) {
      this.source.wrong(place, "weights_sum", `The shares add up to ${sum / PARTS}, not to 100.`);
      return undefined;
    }
    return new Shares(weights);
  }
}

/** Says the names of an object's fields in the order of their bytes; JavaScript compares halves of letters. */
function sorted(fields: Fields): string[] {
  const keys = Object.keys(fields).map((key) => [key, encoder.encode(key)] as const);
  return keys.sort(([, one], [, other]) => compareBytes(one, other)).map(([key]) => key);
}

function compareBytes(one: Uint8Array, other: Uint8Array): number {
  const place = one.findIndex((byte, at) => byte !== other[at]);
  return place < 0 ? one.length - other.length : (one[place] ?? 0) - (other[place] ?? -1);
}

/** Reads a percentage in thousandths of a percent. */
function thousandths(percent: unknown): number | undefined {
  if (typeof percent !== "number" || percent < 0 || percent > 100) {
    return undefined;
  }
  const parts = percent * PARTS;
  const whole = Math.round(parts);
  return Math.abs(parts - whole) < 1e-6 ? whole : undefined;
}
