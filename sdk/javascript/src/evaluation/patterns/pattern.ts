/**
 * Regular expressions that are found in linear time, as the server finds them.
 *
 * JavaScript's own go back and try again, so that some patterns take years with some texts; definitions come from outside,
 * and an evaluation must end. So patterns become an automaton, and a text is gone through once with all of its states at
 * a time (Ken Thompson, 1968).
 */

import { isWord, type Letters } from "./letters.js";
import { type Look, type Node, parse, PatternError } from "./syntax.js";

/** States of an automaton; those of people's patterns have a hundredth. */
const STATES_MAX = 20_000;

/** What leads on from a state: a character of a set, a place that fits, or nothing; at the end, nowhere. */
interface State {
  readonly letters?: Letters;
  readonly look?: Look;
  ways: readonly number[];
}

/** A compiled regular expression. */
export class Pattern {
  readonly #states: readonly State[];
  readonly #begin: number;

  /** Compiles a pattern; throws a `PatternError` if it is none, or too large. */
  constructor(pattern: string, ignoreCase = false) {
    const automaton = new Automaton();
    this.#begin = automaton.add(parse(pattern, ignoreCase), automaton.end);
    this.#states = automaton.states;
  }

  /** Whether it matches a part of a text. */
  isIn(text: string): boolean {
    let seeds: number[] = [];
    let before = "";
    for (const letter of text) {
      // It may begin at every place.
      seeds.push(this.#begin);
      const reached = this.#reach(seeds, before, letter);
      if (!reached) {
        return true;
      }
      seeds = [];
      for (const { letters, ways } of reached) {
        if (letters?.has(letter)) {
          seeds.push(...ways);
        }
      }
      before = letter;
    }
    seeds.push(this.#begin);
    return this.#reach(seeds, before, "") === undefined;
  }

  /** Follows all that takes no character: what comes next, or nothing if the end is reached. */
  #reach(seeds: readonly number[], before: string, after: string): State[] | undefined {
    // What is added on the way is gone through as well.
    const seen = new Set(seeds);
    const reached: State[] = [];
    for (const place of seen) {
      const state = this.#states[place];
      if (!state || state.ways.length === 0) {
        return undefined;
      }
      if (state.letters) {
        reached.push(state);
      } else if (!state.look || holds(state.look, before, after)) {
        for (const way of state.ways) {
          seen.add(way);
        }
      }
    }
    return reached;
  }
}

class Automaton {
  readonly states: State[] = [];
  readonly end = this.#state({ ways: [] });

  #state(state: State): number {
    if (this.states.length >= STATES_MAX) {
      throw new PatternError("it is too large");
    }
    return this.states.push(state) - 1;
  }

  /** Adds what matches a node and goes on; says where it begins. */
  add(node: Node, then: number): number {
    switch (node.is) {
      case "letter":
        return this.#state({ letters: node.letters, ways: [then] });
      case "look":
        return this.#state({ look: node.look, ways: [then] });
      case "choice":
        return this.#state({ ways: node.parts.map((part) => this.add(part, then)) });
      case "sequence":
        // Nothing counts as well, or nothing could be repeated for ever.
        return node.parts.length > 0
          ? node.parts.reduceRight((next, part) => this.add(part, next), then)
          : this.#state({ ways: [then] });
      case "repeat":
        return this.#repeat(node.part, node.least, node.most, then);
    }
  }

  #repeat(part: Node, least: number, most: number, then: number): number {
    let begin = then;
    if (most === Number.POSITIVE_INFINITY) {
      const loop: State = { ways: [then] };
      begin = this.#state(loop);
      loop.ways = [this.add(part, begin), then];
    } else {
      for (let count = least; count < most; count++) {
        begin = this.#state({ ways: [this.add(part, begin), then] });
      }
    }
    for (let count = 0; count < least; count++) {
      begin = this.add(part, begin);
    }
    return begin;
  }
}

function holds(look: Look, before: string, after: string): boolean {
  const was = before !== "" && isWord(before);
  const will = after !== "" && isWord(after);
  switch (look) {
    case "start":
      return before === "";
    case "end":
      return after === "";
    case "line_start":
      return before === "" || before === "\n";
    case "line_end":
      return after === "" || after === "\n";
    case "word":
      return was !== will;
    case "no_word":
      return was === will;
    case "word_start":
      return !was && will;
    case "word_end":
      return was && !will;
    case "word_start_half":
      return !was;
    case "word_end_half":
      return !will;
  }
}
