/** Shares that grow by a schedule. */

import { firstHash, WHOLE } from "./bucketing.js";

/** From when on, in microseconds since 1970, a share is which, in thousandths of a percent. */
export type Step = readonly [at: number, share: number];

/** A share of all that is another one from some moments on. */
export class Rollout {
  constructor(
    /** The places of the variant that the share gets, and of the one that all others get. */
    private readonly serve: number,
    private readonly others: number,
    /** The share before the first step. */
    private readonly start: number,
    private readonly steps: readonly Step[],
    /** Whether it grows from each step to the next all the time. */
    private readonly isSmooth: boolean,
  ) {}

  /** Says the share at a moment; what is less than a thousandth is cut off from the way since the last step. */
  share(nowMicros: number): number {
    const passed = this.steps.filter(([at]) => at <= nowMicros).length;
    const [last, next] = [this.steps[passed - 1], this.steps[passed]];
    if (!last) {
      return this.start;
    }
    const [begun, from] = last;
    if (!next || !this.isSmooth) {
      return from;
    }
    const [ends, to] = next;
    // More than the integers that a number can hold.
    const whole = BigInt(Math.abs(to - from)) * BigInt(Math.floor(nowMicros - begun));
    const gone = Number(whole / BigInt(ends - begun));
    return to >= from ? from + gone : from - gone;
  }

  /** Says the variant that a hash falls on, as in a split of the share. */
  place(hash: number, nowMicros: number): number {
    const share = this.share(nowMicros);
    const isFirst = this.serve < this.others;
    const isBelow = hash < firstHash(isFirst ? share : WHOLE - share);
    return isBelow === isFirst ? this.serve : this.others;
  }
}
