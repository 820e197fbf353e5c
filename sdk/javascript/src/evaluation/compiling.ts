/**
 * Compiles definitions, as the server sends them, into flags that can be asked.
 *
 * A flag that cannot be evaluated here is left out with a problem, and so is what needs it: others are not touched.
 */

import { Bucketing, divideUp, Shares, WHOLE } from "./bucketing.js";
import { findCircles } from "./circles.js";
import { Compiler, type Fits } from "./conditions.js";
import { type Flag, Flags, type Needed, type Outcome, type Rule } from "./flags.js";
import { dialectOf, GATE, type Gate, gateOf, has, PARTS, partsOf, placeIn, thousandths, unitsOf } from "./gates.js";
import { Logic, Refused } from "./logic.js";
import { momentIn, spanOf } from "./moments.js";
import { orderOfParts, placesOf } from "./orders.js";
import { part as pointerPart, Problems } from "./problems.js";
import { CODE, type Fields, isObject, Part } from "./reading.js";
import { Rollout, type Step } from "./rollout.js";
import type { Subject } from "./subject.js";

const FLAG = ["type", "version", "variants", "enabled", "off", "prerequisites", "overrides", "rules", "otherwise"];
const OUTCOME = ["serve", "split", "rollout", "buckets", "by", "or_by"];
const RULE = ["name", "when", "from", "until", "gates", "requires", "sticky", "kept", "logic", ...OUTCOME];
const ROLLOUT = ["serve", "others", "start", "steps", "smooth"];
const STEPS_MAX = 50;
const KEPT_MAX = 20;
const WEIGHTS_MAX = 2 ** 32 - 1;
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
  const needing = [...good.values()].map((flag) => [flag.key, neededBy(flag)] as const).filter(([, needed]) => needed.length > 0);
  const ways = new Map(needing.map(([key, needed]) => [key, needed.map(({ flag }) => flag)]));
  const lists = new Map(needing.map(([key, needed]) => [key, needed.map(({ list }) => list)]));
  for (const [key, [code, detail, way]] of findCircles(ways)) {
    makers.get(key)?.source.wrong(lists.get(key)?.[way] ?? "", code, detail);
    good.delete(key);
  }
  leaveOut(good, makers);
  return new Flags(good, [...problems.all, ...[...makers.values()].flatMap((maker) => maker.problems.all)]);
}

/** Says what a flag and its rules need, and where that stands. */
function neededBy({ prerequisites, rules }: Flag): { flag: string; list: string; place: number }[] {
  const lists = [["/prerequisites", prerequisites] as const, ...rules.map((rule, place) => [`/rules/${place}/requires`, rule.requires] as const)];
  return lists.flatMap(([list, all]) => all.map(({ flag }, place) => ({ flag, list, place })));
}

/** Leaves out what needs a flag that is left out, until all that is left can be asked. */
function leaveOut(good: Map<string, Flag>, makers: ReadonlyMap<string, Maker>): void {
  for (let before = -1; before !== good.size; ) {
    before = good.size;
    for (const flag of [...good.values()]) {
      for (const needed of neededBy(flag)) {
        if (!good.has(needed.flag)) {
          const detail = `The flag \`${needed.flag}\` cannot be evaluated here.`;
          makers.get(flag.key)?.source.wrong(`${needed.list}/${needed.place}/flag`, "flag_unusable", detail);
          good.delete(flag.key);
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
      prerequisites: this.#needed(source.list("prerequisites"), "/prerequisites"),
      overrides: source.list("overrides").map((one, place) => this.#override(one, place)),
      rules: source.list("rules").map((rule, place) => this.#rule(rule, place)),
      otherwise: this.#otherwise(this.#part(source.field("otherwise"), "/otherwise", OUTCOME)),
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

  #needed(sources: readonly unknown[], list: string): Needed[] {
    return sources.map((source, place) => this.#prerequisite(source, `${list}/${place}`));
  }

  #prerequisite(source: unknown, at: string): Needed {
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
    const window = spanOf(rule);
    const gates = rule.list("gates").map((gate, number) => gateOf(this.#part(gate, `${at}/gates/${number}`, GATE)));
    return {
      name: rule.textIfAny("name"),
      when: when === undefined ? undefined : this.#compiler.condition(when, `${rule.pointer}/when`),
      window,
      gates,
      requires: this.#needed(rule.list("requires"), `${at}/requires`),
      outcome: this.#kept(rule, gates[0], this.#given(rule, at)),
    };
  }

  /** Makes what a rule gives: by its logic, if it has some. */
  #given(rule: Part, at: string): Outcome {
    const logic = rule.field("logic");
    if (logic === undefined) {
      return this.#outcome(rule, at);
    }
    if (OUTCOME.some((name) => name !== "or_by" && rule.field(name) !== undefined) || rule.list("or_by").length > 0) {
      rule.wrong("", "outcome_invalid", "What `logic` gives is all that the rule gives.");
    }
    try {
      return { logic: new Logic(logic) };
    } catch (error) {
      if (!(error instanceof Refused)) {
        throw error;
      }
      rule.wrong(`/logic${error.pointer}`, error.code, error.message);
      return { serve: 0 };
    }
  }

  #otherwise(source: Part): Outcome {
    const outcome = this.#outcome(source, "/otherwise");
    for (const [number, [, variant]] of ("order" in outcome ? outcome.parts : []).entries()) {
      if (variant === undefined) {
        const detail = "Nothing comes after `otherwise`, so each part has a variant.";
        source.wrong(`/buckets/parts/${number}`, "outcome_invalid", detail);
      }
    }
    return outcome;
  }

  #outcome(source: Part, place: string): Outcome {
    const [serve, first, others] = [source.textIfAny("serve"), source.textIfAny("by"), source.texts("or_by")];
    const kinds = ["serve", "split", "rollout", "buckets"].filter((name) => source.field(name) !== undefined);
    if (kinds.length === 1 && serve !== undefined && first === undefined && others.length === 0) {
      return { serve: this.#variant(serve, `${place}/serve`) };
    }
    if (kinds.length === 1 && serve === undefined && first !== undefined) {
      return this.#spread(source, place, kinds[0] ?? "", [first, others]);
    }
    const detail = "It says either `serve`, or one of `split`, `rollout` and `buckets` with `by`.";
    source.wrong("", "outcome_invalid", detail);
    return { serve: 0 };
  }

  /** Makes what hands units out. */
  #spread(source: Part, place: string, kind: string, [first, others]: readonly [string, readonly string[]]): Outcome {
    if (kind === "buckets") {
      return this.#buckets(source.field(kind), `${place}/buckets`, [first, others]);
    }
    const by = unitsOf(first, others, true);
    if (kind === "rollout") {
      const schedule = this.#rollout(source.field(kind), `${place}/rollout`);
      return { place: (hash, { nowMicros }) => schedule.place(hash, nowMicros), by };
    }
    const shares = this.#shares(source.object("split"), `${place}/split`);
    return shares ? { place: (hash) => shares.place(hash), by } : { serve: 0 };
  }

  /** Makes parts of all units, as another product hands them out. */
  #buckets(said: unknown, at: string, [first, others]: readonly [string, readonly string[]]): Outcome {
    const source = this.#part(said, at, ["dialect", "key", "parts"]);
    const [dialect, key] = [dialectOf(source), source.text("key")];
    const parts = source.list("parts").map((one, number) => {
      const part = this.#part(one, `${at}/parts/${number}`, ["weight", "serve"]);
      const serve = part.textIfAny("serve");
      const variant = serve === undefined ? undefined : this.#variant(serve, `${at}/parts/${number}/serve`);
      return [weightOf(part), variant] as const;
    });
    const total = parts.reduce((sum, [weight]) => sum + weight, 0);
    const wanted = placesOf(dialect);
    if (total < 1 || total > WEIGHTS_MAX || (wanted !== undefined && wanted !== total)) {
      const detail = `The weights do not make ${wanted ?? `a number from 1 to ${WEIGHTS_MAX}`} together.`;
      source.wrong("/parts", "weights_sum", detail);
      return { serve: 0 };
    }
    const order = orderOfParts(dialect, key, total);
    let reached = 0n;
    const ends = parts.map(([weight, variant]) => {
      reached += BigInt(weight);
      // `place * total / places < reached`, solved for the place.
      return [Number(divideUp(reached * BigInt(order.places), BigInt(total))), variant] as const;
    });
    return { order, by: unitsOf(first, others, order.isNative), parts: ends };
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
      const [share, moment] = [this.#percent(step, "percent"), momentIn(step, "at")];
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
      return [partsOf(kept, gate.order), this.#shares(kept.object("split"), `${at}/kept/${number}/split`)] as const;
    });
    const place = (hash: number, subject: Subject): number => {
      const own = placeIn(gate, subject);
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

/** Reads how large a part is, compared with others. */
function weightOf(part: Part): number {
  const weight = part.field("weight");
  if (typeof weight !== "number" || !Number.isInteger(weight) || weight < 0 || weight > WEIGHTS_MAX) {
    part.wrong("/weight", CODE, `\`weight\` must be a whole number from 0 to ${WEIGHTS_MAX}.`);
    return 0;
  }
  return weight;
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
